"""STUN and TURN over the one socket."""
