"""What each magic does with its cell."""
