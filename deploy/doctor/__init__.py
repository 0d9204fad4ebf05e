"""What is missing, unreachable or misconfigured, and what to type."""
