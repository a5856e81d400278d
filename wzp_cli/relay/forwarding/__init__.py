"""Frames from channel to channel, in the relay or in processes beside it."""
