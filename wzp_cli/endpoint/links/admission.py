"""Which Initial packets may create a link (docs/security.md, admission).

Strangers first get a Retry, so their address is proven before any state exists. What an
announced channel brings is admitted once for each announcement. Each kind has a budget
of its own for half-open handshakes, so that strangers can't starve calls.
"""

import collections
import enum
import os
from dataclasses import dataclass

from aioquic.quic.packet import QuicHeader, encode_quic_retry
from aioquic.quic.retry import QuicRetryTokenHandler

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import (
    CONNECTION_ID_BYTES,
    MAX_HALF_OPEN_CHANNELS,
    MAX_HALF_OPEN_DATAGRAMS,
    MAX_HALF_OPEN_STRANGERS,
    RETRIES_PER_S,
)
from wzp_cli.defaults.relay import (
    RELAY_MAX_HALF_OPEN,
    RELAY_MAX_HALF_OPEN_PER_SOURCE,
    RELAY_RETRIES_PER_S,
)
from wzp_cli.endpoint.links.link import Link
from wzp_cli.protocol.buckets import TokenBucket

__all__ = ["Admission", "Admitted", "Crowd", "Retry", "Strangers"]


_COUNTED = (
    "ok",
    "failed",
    "retry",
    "retry_limit",
    "bad_token",
    "no_room",
    "source_limit",
)


class Strangers(enum.Enum):
    """What happens to Initials that no announced channel brought."""

    REFUSED = "dropped"
    PROVEN = "after Retry"
    BUSY_PROVEN = "after Retry once many handshakes are under way"


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many strangers at once.

    Attributes:
        half_open: Handshakes under way.
        per_source: Of these, with one subscriber whose address is proven.
        retries_per_s: Retry packets sent.
    """

    half_open: int
    per_source: int
    retries_per_s: float


CALLERS = Crowd(MAX_HALF_OPEN_STRANGERS, MAX_HALF_OPEN_STRANGERS, RETRIES_PER_S)
RELAY_CLIENTS = Crowd(
    RELAY_MAX_HALF_OPEN, RELAY_MAX_HALF_OPEN_PER_SOURCE, RELAY_RETRIES_PER_S
)


class Admitted:
    """An Initial that may create a link, with the connection IDs that Retry used."""

    __slots__ = ("original_destination_cid", "retry_source_cid")

    def __init__(self, original: bytes, retry_source: bytes | None = None) -> None:
        self.original_destination_cid = original
        self.retry_source_cid = retry_source


class Retry:
    """The datagram to answer with, in place of a link."""

    __slots__ = ("datagram",)

    def __init__(self, datagram: bytes) -> None:
        self.datagram = datagram


class Admission:
    """Judges Initials and counts half-open links.

    Attributes:
        counts: What became of Initials and of handshakes, by name.
    """

    def __init__(self, now: float) -> None:
        self.strangers = Strangers.REFUSED
        self._crowd = CALLERS
        self.counts = collections.Counter(dict.fromkeys(_COUNTED, 0))
        self._tokens = QuicRetryTokenHandler()
        self._retries = TokenBucket(RETRIES_PER_S, RETRIES_PER_S, now)
        self._half_open_strangers: dict[Link, int | str | None] = {}
        self._half_open_sources: collections.Counter[int | str] = collections.Counter()
        self._half_open_channels: set[Link] = set()
        self._taken: dict[Link, int] = {}

    def expect_relay_clients(self, now: float) -> None:
        """Admit many, each after Retry once many handshakes are under way."""
        self.strangers, self._crowd = Strangers.BUSY_PROVEN, RELAY_CLIENTS
        rate = self._crowd.retries_per_s
        self._retries = TokenBucket(rate, rate, now)

    def judge_stranger(
        self, header: QuicHeader, source: Address, now: float
    ) -> Admitted | Retry | None:
        """Return what to do with an Initial from a bare address; None drops it."""
        half_open = len(self._half_open_strangers)
        if self.strangers is Strangers.REFUSED:
            return None
        if half_open >= self._crowd.half_open:
            self.counts["no_room"] += 1
            return None
        if header.token:
            return self._redeem(header, source, now)
        if (
            self.strangers is Strangers.BUSY_PROVEN
            and half_open < self._crowd.half_open // 2
        ):
            return Admitted(header.destination_cid)
        return self._retry(header, source, now)

    def channel_has_room(self) -> bool:
        """Whether one more handshake through a channel may start."""
        return len(self._half_open_channels) < MAX_HALF_OPEN_CHANNELS

    def opened(self, link: Link, source: Address | None, *, proven: bool) -> None:
        """Count a new link as half open; `source` None: it came through a channel."""
        self._taken[link] = 1
        if source is None:
            self._half_open_channels.add(link)
            return
        # A source that is not proven may be a false one: it counts for nobody.
        subscriber = source.subscriber if proven else None
        self._half_open_strangers[link] = subscriber
        if subscriber is not None:
            self._half_open_sources[subscriber] += 1

    def takes(self, link: Link) -> bool:
        """Whether a link may read one more datagram; while half open it has so many.

        To decrypt a copy costs as much as the first: without an end to it, whoever has
        one handshake under way has all of our time.
        """
        taken = self._taken.get(link)
        if taken is None:
            return True
        self._taken[link] = taken + 1
        return taken < MAX_HALF_OPEN_DATAGRAMS

    @property
    def half_open(self) -> int:
        """How many handshakes are under way."""
        return len(self._half_open_strangers) + len(self._half_open_channels)

    def settled(self, link: Link) -> None:
        """The handshake is complete, or the link is gone."""
        self.counts["failed" if link.ended else "ok"] += 1
        subscriber = self._half_open_strangers.pop(link, None)
        if subscriber is not None:
            self._half_open_sources[subscriber] -= 1
            if not self._half_open_sources[subscriber]:
                del self._half_open_sources[subscriber]
        self._half_open_channels.discard(link)
        self._taken.pop(link, None)

    def _retry(self, header: QuicHeader, source: Address, now: float) -> Retry | None:
        if header.version is None or not self._retries.take(1, now):
            self.counts["retry_limit"] += 1
            return None
        self.counts["retry"] += 1
        retry_source_cid = os.urandom(CONNECTION_ID_BYTES)
        token = self._tokens.create_token(
            address=(source.host, source.port),
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=retry_source_cid,
            now=now,
        )
        return Retry(
            encode_quic_retry(
                version=header.version,
                source_cid=retry_source_cid,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            )
        )

    def _redeem(
        self, header: QuicHeader, source: Address, now: float
    ) -> Admitted | None:
        try:
            original = self._tokens.validate_token(
                address=(source.host, source.port),
                destination_cid=header.destination_cid,
                token=header.token,
                now=now,
            )
        except ValueError:
            self.counts["bad_token"] += 1
            return None
        if self._half_open_sources[source.subscriber] >= self._crowd.per_source:
            self.counts["source_limit"] += 1
            return None
        return Admitted(original, header.destination_cid)
