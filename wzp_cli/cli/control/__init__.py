"""Through the control socket of a running listener, on both of its sides."""
