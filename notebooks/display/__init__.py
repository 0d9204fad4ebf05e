"""What a notebook shows: tables, charts, answers, errors."""
