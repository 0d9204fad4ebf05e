"""Calls to models, each paid for once: cache, leases, budget and prices. Nothing here imports DuckDB."""
