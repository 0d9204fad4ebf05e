"""Where the schema of a question comes from: the catalog, DDL, M-Schema text."""
