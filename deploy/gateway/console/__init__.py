"""The console: the page at `/`, and what it reads. It calls models with the keys and limits of the API."""
