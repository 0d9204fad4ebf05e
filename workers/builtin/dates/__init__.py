"""Words of time in a question: spans such as "last month", and units to group by such as "per quarter"."""
