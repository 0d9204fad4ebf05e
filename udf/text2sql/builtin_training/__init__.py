"""How the built-in model was trained and is measured."""
