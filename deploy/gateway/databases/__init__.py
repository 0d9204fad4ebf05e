"""The databases that the gateway may be asked about: their schemas, their words against a query, and its rows."""
