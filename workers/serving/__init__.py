"""Requests to engines and back: router, worker, retries, the models of this process."""
