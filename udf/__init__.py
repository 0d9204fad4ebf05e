"""Everything inside DuckDB: the connection, the SQL functions, the call store, and text2sql."""
