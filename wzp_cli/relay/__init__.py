"""The server: presence, reflection and opaque forwarding, on the same endpoint."""
