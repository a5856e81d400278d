"""How much one stranger may ask of a relay, and what they are told when it is too much.

A caller learns about itself (its own budget, its own access) and nothing about others:
a target that is offline, that refuses this caller, or that is called too often looks
the same. So the target's budget is charged whether the target is there or not.
"""

import collections
import enum

from wzp_cli.address import Address
from wzp_cli.defaults.relay import (
    RELAY_MAX_CHANNELS_PER_IDENTITY,
    RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN,
    RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN,
    RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN,
    RELAY_MAX_PROBES_PER_CLIENT_PER_MIN,
    RELAY_MAX_PROBES_PER_HOST_PER_MIN,
    RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN,
    RELAY_MAX_TRACKED_SOURCES,
)
from wzp_cli.protocol.buckets import KeyedBuckets

__all__ = ["TURNED_AWAY", "Limits", "Refusal"]


class Refusal(enum.Enum):
    """Why a `connect` was refused, as the relay knows it (for its metrics)."""

    OFFLINE = "offline"
    TARGET_REFUSES = "target_refuses"
    TARGET_LIMIT = "target_limit"
    CALLER_LIMIT = "caller_limit"
    CHANNEL_LIMIT = "channel_limit"
    ACCESS = "access"
    DRAINING = "draining"
    FLEET = "fleet"

    @property
    def told(self) -> str:
        """The reason in the `refused` message."""
        return _TOLD[self]


_TOLD = {
    Refusal.OFFLINE: "offline",
    Refusal.TARGET_REFUSES: "offline",
    Refusal.TARGET_LIMIT: "offline",
    Refusal.CALLER_LIMIT: "limit",
    Refusal.CHANNEL_LIMIT: "limit",
    Refusal.ACCESS: "access",
    Refusal.DRAINING: "draining",
    Refusal.FLEET: "fleet",
}


TURNED_AWAY = {
    "draining": "draining",
    "no_address": "not admitted",
    "source_limit": "too many registrations from this address",
    "identity_limit": "too many links of this identity",
    "full": "the relay is full",
}
"""Why a client is not taken, as the relay counts it, and what the client hears."""


def _per_minute(count: int) -> KeyedBuckets:
    return KeyedBuckets(count / 60, count, capacity=RELAY_MAX_TRACKED_SOURCES)


class Limits:
    """The budgets of one relay. Identities are 32-byte keys that were proven."""

    def __init__(self) -> None:
        self._registrations = _per_minute(RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN)
        self._callers = _per_minute(RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN)
        self._targets = _per_minute(RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN)
        self._probes = _per_minute(RELAY_MAX_PROBES_PER_CLIENT_PER_MIN)
        self._probed = _per_minute(RELAY_MAX_PROBES_PER_HOST_PER_MIN)
        self._grants = _per_minute(RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN)
        self._channels: collections.Counter[bytes] = collections.Counter()

    def admit_registration(self, source: Address, now: float) -> bool:
        """Return whether one more link may come from this source's network."""
        return self._registrations.take(source.subscriber, now)

    def admit_probe(self, client: bytes, to: Address, now: float) -> bool:
        """Charge one filtering probe; return whether it may go to this host."""
        return self._probes.take(client, now) and self._probed.take(to.subscriber, now)

    def admit_grant(self, client: bytes, now: float) -> bool:
        """Charge credentials for a TURN server; return whether there are any."""
        return self._grants.take(client, now)

    def admit_connect(self, caller: bytes, target: bytes, now: float) -> Refusal | None:
        """Charge one `connect`; return why it is refused, None if it is not.

        A caller over its budget doesn't use up its target's.
        """
        if not self._callers.take(caller, now):
            return Refusal.CALLER_LIMIT
        if not self._targets.take(target, now):
            return Refusal.TARGET_LIMIT
        return None

    def admit_offer(self, target: bytes, now: float) -> bool:
        """Charge one call that another relay of the fleet brings."""
        return self._targets.take(target, now)

    def take_channels(self, caller: bytes, count: int) -> bool:
        """Charge channels to who asked for them; False: too many, none charged."""
        if self._channels[caller] + count > RELAY_MAX_CHANNELS_PER_IDENTITY:
            return False
        self._channels[caller] += count
        return True

    def release_channels(self, caller: bytes, count: int) -> None:
        """Give channels back that have ended."""
        self._channels[caller] -= count
        if self._channels[caller] <= 0:
            del self._channels[caller]
