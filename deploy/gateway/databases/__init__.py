"""The databases that the gateway can query: their schemas, EXPLAIN errors, and rows."""
