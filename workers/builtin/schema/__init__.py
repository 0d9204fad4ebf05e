"""Tables and columns as the built-in model reads them."""
