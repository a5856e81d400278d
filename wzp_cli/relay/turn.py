"""TURN servers beside a relay: what it hands out, so that they take its clients."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wzp_cli.defaults.relay import TURN_GRANT_S
from wzp_cli.protocol.turn import TurnGrant, issue_grant

__all__ = ["TurnService"]

_NAME_BYTES = 9


@dataclass(frozen=True, slots=True)
class TurnService:
    """One TURN server, or a fleet of them behind a name, that shares a secret with us.

    Attributes:
        server: HOST or HOST:PORT, as clients are told it.
        secret: The server's `static-auth-secret`.
        unix_now: The time by which the server judges.
        tcp, tls: TCP ports where it speaks TCP alone, and TLS; 0: nowhere.
    """

    server: str
    secret: str = field(repr=False)
    unix_now: Callable[[], float]
    tcp: int = 0
    tls: int = 0

    def grant(self) -> TurnGrant:
        """Return credentials under a random name: the server learns no identity."""
        name = secrets.token_urlsafe(_NAME_BYTES)
        until_s = self.unix_now() + TURN_GRANT_S
        grant = issue_grant(self.server, self.secret, name, until_s)
        return replace(grant, tcp=self.tcp, tls=self.tls)
