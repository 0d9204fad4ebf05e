"""Chat2DB's custom AI."""
