"""What one connection knows, and what one statement has done so far."""
