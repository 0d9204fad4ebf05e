"""Calls to models, each paid once: cache, leases, budget and prices. Nothing here knows DuckDB."""
