"""An operator's lists for a relay: text files, one entry a line, "#" starts a comment.

tokens        any text without spaces, at most 256 characters; not for every user
identities    wzp1..., and after it whatever helps the operator
"""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wzp_cli.errors import ConfigError, WzpError
from wzp_cli.protocol.names.identity import Identity

__all__ = ["read_identities", "read_token", "read_tokens"]

_MAX_TOKEN_CHARACTERS: Final = 256


def read_tokens(path: Path) -> frozenset[str]:
    """Return the tokens in a file.

    Raises:
        ConfigError: It can't be read, every user can read it, or a line is none.
    """
    return frozenset(_token(path, number, line) for number, line in _secrets(path))


def read_token(path: Path) -> str:
    """Return the one token in a client's file. Raises as `read_tokens`."""
    tokens = read_tokens(path)
    if len(tokens) != 1:
        raise ConfigError(f"{path}: {len(tokens)} tokens where there must be one")
    return next(iter(tokens))


def read_identities(path: Path) -> frozenset[bytes]:
    """Return the keys of the identities in a file.

    Raises:
        ConfigError: It can't be read, or a line is no identity.
    """
    return frozenset(_key(path, number, line) for number, line in _lines(path))


def _token(path: Path, number: int, line: str) -> str:
    if len(line) > _MAX_TOKEN_CHARACTERS or len(line.split()) != 1:
        raise ConfigError(
            f"{path}, line {number}: a token has no spaces and at most"
            f" {_MAX_TOKEN_CHARACTERS} characters"
        )
    return line


def _key(path: Path, number: int, line: str) -> bytes:
    try:
        return Identity.parse(line.split()[0]).key
    except WzpError as error:
        raise ConfigError(f"{path}, line {number}: {error}") from error


def _secrets(path: Path) -> Iterator[tuple[int, str]]:
    lines = list(_lines(path))
    if sys.platform != "win32" and path.stat().st_mode & stat.S_IROTH:
        raise ConfigError(f"{path}: every user can read it. Run: chmod o= {path}")
    return iter(lines)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text") from error
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if entry:
            yield number, entry
