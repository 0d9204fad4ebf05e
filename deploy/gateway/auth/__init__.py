"""Keys, their limits, and what they have used."""
