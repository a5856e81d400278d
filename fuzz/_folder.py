"""A folder of its own for a target's files, in memory where the system has that."""

import os
import tempfile

__all__ = ["new_folder"]

_MEMORY = "/dev/shm"


def new_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a new folder, which goes with the process."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="wzp-fuzz-", dir=where)
