"""Keyed checks between two peers: sent, answered and believed.

Each side makes a random ufrag and password for one call and tells them to the other
inside the end-to-end link. A request is keyed with the password of the side that is
asked, so that one reflected back to its sender proves nothing; an answer counts only
over the route that was asked.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wzp_cli.address import Address
from wzp_cli.defaults.paths import MAX_PENDING_CHECKS
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.traversal.route import Route

__all__ = ["CheckKey", "CheckSession", "StunCarrier"]


@dataclass(frozen=True, slots=True)
class CheckKey:
    """One side's half of the key (RFC 8445 section 5.3)."""

    ufrag: str
    password: str

    @classmethod
    def random(cls) -> "CheckKey":
        """Return 48 and 144 random bits."""
        return cls(secrets.token_urlsafe(6), secrets.token_urlsafe(18))


class StunCarrier(Protocol):
    """What checks need of the endpoint."""

    def carry(
        self, datagram: bytes, route: Route, own: str = "", *, ttl: int | None = None
    ) -> None:
        """Send one datagram along a route."""
        ...

    def now(self) -> float:
        """The loop's time in seconds."""
        ...


class CheckSession:
    """The checks of one call.

    Attributes:
        local: What the peer must know to check us.
        remote: What we must know to check the peer; None until it has told us.
        on_answer: Called with route, round trip in seconds and our address as the peer
            saw it.
        allows: Whether a check over this route is answered at all: an answer confirms
            that we are there.
        on_request: Called with the route of an authentic check of the peer's, and
            whether it nominates that route.
    """

    def __init__(self, carrier: StunCarrier) -> None:
        self.local = CheckKey.random()
        self.remote: CheckKey | None = None
        self.on_answer: Callable[[Route, float, Address | None], None] | None = None
        self.allows: Callable[[Route], bool] = lambda route: True
        self.on_request: Callable[[Route, bool], None] | None = None
        self._carrier = carrier
        self._asked: OrderedDict[bytes, tuple[Route, float]] = OrderedDict()

    def send(self, route: Route, *, ttl: int | None, nominates: bool) -> None:
        """Send one check (an opener where `ttl` is low); nothing before `remote`."""
        if self.remote is None:
            return
        transaction_id = stun.new_transaction_id()
        self._asked[transaction_id] = (route, self._carrier.now())
        if len(self._asked) > MAX_PENDING_CHECKS:
            self._asked.popitem(last=False)
        username = f"{self.remote.ufrag}:{self.local.ufrag}"
        datagram = stun.encode_check(
            transaction_id, username, self.remote.password, nominates=nominates
        )
        self._carrier.carry(datagram, route, ttl=ttl)

    def take_request(self, message: stun.BindingMessage, route: Route) -> None:
        """Answer a check that is keyed with our password; drop any other."""
        if not message.is_signed_with(self.local.password) or not self.allows(route):
            return
        answer = stun.encode_response(
            message.transaction_id, route.remote, self.local.password
        )
        self._carrier.carry(answer, route)
        if self.on_request is not None:
            self.on_request(route, message.nominates)

    def take_response(self, message: stun.BindingMessage, route: Route) -> bool:
        """Whether this is the answer to a check of ours; if so, report it."""
        asked = self._asked.get(message.transaction_id)
        if asked is None or asked[0] != route or self.remote is None:
            return False
        if not message.is_signed_with(self.remote.password):
            return False
        del self._asked[message.transaction_id]
        if self.on_answer is not None:
            self.on_answer(route, self._carrier.now() - asked[1], message.mapped)
        return True
