"""The typed functions: their prompts, and how an answer becomes a value of its type or a reason."""
