"""Text to SQL: schema, prompt forms, guard, binding and repair."""
