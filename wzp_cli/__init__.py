"""Peer-to-peer voice calls and NAT diagnosis from the command line."""

__all__ = ["__version__"]

__version__ = "0.1.0"
