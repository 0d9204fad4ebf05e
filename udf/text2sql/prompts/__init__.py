"""Prompts for SQL: prompt formats, and the database values that a question mentions."""
