"""How models are asked for SQL: prompt formats, and the cells that a question names."""
