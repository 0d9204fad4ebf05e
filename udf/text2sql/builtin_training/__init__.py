"""Training and measurement of the built-in model."""
