"""The built-in text-to-SQL model: a small pointer network in numpy, held to the schema by a grammar."""
