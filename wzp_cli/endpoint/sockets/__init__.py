"""UDP sockets: the one, spares for a search, errors that come back."""
