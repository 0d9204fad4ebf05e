"""Questions become SQL: schema, prompt forms, guard, binding and repair."""
