"""How a command speaks: documents, event streams and sentences."""
