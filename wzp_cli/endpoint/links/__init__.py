"""QUIC links: who may open one, whose key it shows, what it carries."""
