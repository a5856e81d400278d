"""The sound of a call, both ways, and what is told about it."""
