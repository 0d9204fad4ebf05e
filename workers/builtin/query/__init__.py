"""Query trees: from SQL, to SQL, and as the symbols that the network decodes."""
