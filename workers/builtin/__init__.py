"""The built-in text-to-SQL model: a small pointer network in numpy, constrained by a grammar and the schema."""
