"""One training run: in this process or over Ray Train."""
