"""Sound in few bytes."""
