"""Who may use a relay: everybody, who shows a token, who stands on a list."""

import hashlib
from dataclasses import dataclass

__all__ = ["AccessRules", "token_digest"]


def token_digest(token: str) -> bytes:
    """Return what is kept and compared in place of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who is admitted. With neither tokens nor a list, everybody but the blocked.

    Attributes:
        tokens: Digests (`token_digest`); one of them admits. None: there are none.
        allowed: Keys (32 bytes) that need no token. None: there is no list.
        blocked: Keys that nothing admits.
    """

    tokens: frozenset[bytes] | None = None
    allowed: frozenset[bytes] | None = None
    blocked: frozenset[bytes] = frozenset()

    def admit(self, key: bytes, shown: bytes = b"", *, vouched: bool = False) -> bool:
        """Return whether an identity may use the relay.

        Args:
            key: The identity's, proven.
            shown: The digest of the token that it has shown.
            vouched: Another relay of the fleet has admitted it.
        """
        if key in self.blocked:
            return False
        if vouched:
            return True
        if self.tokens is None and self.allowed is None:
            return True
        return key in (self.allowed or ()) or shown in (self.tokens or ())
