"""Who can be reached through this relay, and over which links.

Connecting and publishing are two things: a link that has not published is reachable by
one identity alone, the one that it is calling right now, so that two who call each
other at once (glare) find each other. Identities are whole keys; nothing here resolves
a prefix.
"""

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from wzp_cli.defaults.relay import RELAY_MAX_DEVICES_PER_TARGET

__all__ = ["Presence", "Reachable"]

_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Reachable:
    """A link over which somebody can be called. `device` names it to callers."""

    link: Hashable
    device: str


@dataclass(slots=True)
class _Joined:
    identity: bytes
    device: str
    published: bool = False
    refuses: frozenset[bytes] = frozenset()
    calling: set[bytes] = field(default_factory=set)


class Presence:
    """The links of each identity.

    Every method takes links by equality and is silent about one that is not there: it
    may have gone while its message was on the way.
    """

    def __init__(self, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._joined: dict[Hashable, _Joined] = {}
        self._links: dict[bytes, dict[Hashable, None]] = {}  # a set that keeps order

    def __len__(self) -> int:
        return len(self._joined)

    @property
    def published(self) -> int:
        """How many links have published."""
        return sum(joined.published for joined in self._joined.values())

    def join(self, link: Hashable, identity: bytes) -> str:
        """Take in a link whose identity (32-byte key) was proven; return its device."""
        self.leave(link)
        device = self._random_bytes(_TOKEN_BYTES).hex()
        self._joined[link] = _Joined(identity, device)
        self._links.setdefault(identity, {})[link] = None
        return device

    def links_of(self, identity: bytes) -> list[Hashable]:
        """Return every link of an identity, published or not."""
        return list(self._links.get(identity, ()))

    def leave(self, link: Hashable) -> None:
        """Forget a link."""
        if (joined := self._joined.pop(link, None)) is not None:
            links = self._links[joined.identity]
            del links[link]
            if not links:
                del self._links[joined.identity]

    def publish(self, link: Hashable, refuses: frozenset[bytes] = frozenset()) -> None:
        """Let everybody call over this link but the identities that it refuses."""
        if (joined := self._joined.get(link)) is not None:
            joined.published, joined.refuses = True, refuses

    def unpublish(self, link: Hashable) -> None:
        """Undo `publish`."""
        if (joined := self._joined.get(link)) is not None:
            joined.published = False

    def start_calling(self, link: Hashable, target: bytes) -> None:
        """Let `target` alone call over this link."""
        if (joined := self._joined.get(link)) is not None:
            joined.calling.add(target)

    def stop_calling(self, link: Hashable, target: bytes) -> None:
        """Undo `start_calling`."""
        if (joined := self._joined.get(link)) is not None:
            joined.calling.discard(target)

    def reachable(self, target: bytes, *, by: Hashable) -> list[Reachable]:
        """Return the links of `target` that the link `by` may call.

        Returns:
            The latest first, since an old one may be a process that has died; never
            `by` itself; empty if `by` has not joined.
        """
        caller = self._joined.get(by)
        if caller is None:
            return []
        found = self.reachable_from(caller.identity, target)
        return [each for each in found if each.link != by]

    def reachable_from(self, caller: bytes, target: bytes) -> list[Reachable]:
        """Return the links of `target` that an identity elsewhere may call."""
        found = [
            Reachable(link, joined.device)
            for link in reversed(self._links.get(target, {}))
            if caller not in (joined := self._joined[link]).refuses
            and (joined.published or caller in joined.calling)
        ]
        return found[:RELAY_MAX_DEVICES_PER_TARGET]

    def is_findable(self, identity: bytes) -> bool:
        """Return whether anybody at all may call an identity here."""
        links = self._links.get(identity, ())
        return any(
            (joined := self._joined[link]).published or joined.calling for link in links
        )
