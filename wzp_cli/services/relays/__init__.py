"""A client at its relays: registered, found by callers, given channels."""
