"""The data plane's table: from where to where frames go, and how many.

A channel joins two links by two random ids, one for each direction. The id with which a
client sends is the one with which the other side receives, so a frame is passed on as
it came: one dictionary look-up, no copy, nothing decrypted.

    caller --- 0x08, id A, datagram ---> relay --- 0x08, id A, datagram ---> callee
    caller <-- 0x08, id B, datagram ---  relay <-- 0x08, id B, datagram ---  callee

Nothing is ever answered: a frame that does not fit is dropped and counted.
"""

import collections
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults.relay import FLEET_HELD_FRAMES, RELAY_CHANNEL_IDLE_S
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.demux import CHANNEL_ID_BYTES, FRAME_HEADER_BYTES
from wzp_cli.protocol.messages.relay import ChannelIds
from wzp_cli.relay.forwarding.data_plane import Direction, DropReason
from wzp_cli.relay.forwarding.sharing import Alone, Sharing

__all__ = ["Channel", "ChannelTable", "Link", "Reservation"]

Link = Hashable
"""A relay link: anything that stands for it while it lives."""


class _Way(Direction[Address]):
    """A direction, and the link that sends in it.

    Attributes:
        revealed: The other side may know where the sender is.
    """

    __slots__ = ("revealed", "sender")

    def __init__(self, sender: Link, source: Address, to: Address, now: float) -> None:
        super().__init__(source, to, now)
        self.sender = sender
        self.revealed = False


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What joins a caller's link to one of the callee's."""

    caller: Link
    callee: Link
    caller_id: bytes
    callee_id: bytes

    def other(self, link: Link) -> Link:
        """Return the link at the other end."""
        return self.callee if link == self.caller else self.caller

    def send_id(self, link: Link) -> bytes:
        """Return the id with which `link` sends."""
        return self.caller_id if link == self.caller else self.callee_id

    def ids(self, link: Link) -> ChannelIds:
        """Return the ids as `link` is told them."""
        return ChannelIds(
            send=self.send_id(link).hex(), receive=self.send_id(self.other(link)).hex()
        )


@dataclass(slots=True, eq=False)
class Reservation:
    """A channel whose callee is still on the way here, from another relay.

    Attributes:
        target: The identity (32-byte key) that will join.
        source: The caller's validated address.
        held: The caller's first frames, until then.
    """

    caller: Link
    target: bytes
    source: Address
    caller_id: bytes
    callee_id: bytes
    held: list[bytes] = field(default_factory=list)

    @property
    def ids(self) -> ChannelIds:
        """The ids as the caller is told them."""
        return ChannelIds(send=self.caller_id.hex(), receive=self.callee_id.hex())


class ChannelTable:
    """All channels of a relay.

    Attributes:
        drops: Frames that were not passed on, by reason.
        sharing: Who else forwards. Theirs are all channels between two UDP addresses
            that are opened at once: what comes through a WebSocket comes to us, and the
            first frames for who is on the way are kept here.
    """

    def __init__(self, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.drops: collections.Counter[DropReason] = collections.Counter()
        self.sharing: Sharing = Alone()
        self._random_bytes = random_bytes
        self._directions: dict[bytes, _Way] = {}
        self._channels: dict[bytes, Channel] = {}
        self._reserved: dict[bytes, Reservation] = {}
        self._by_pair: dict[tuple[Link, Link], Channel] = {}
        self._by_link: dict[Link, set[Channel]] = {}
        self._ended_packets = self._ended_bytes = 0

    def __len__(self) -> int:
        return len(self._by_pair)

    def open(
        self,
        caller: tuple[Link, Address],
        callee: tuple[Link, Address],
        now: float,
        ids: tuple[bytes, bytes] | None = None,
    ) -> Channel:
        """Join two different links; silently ends their old channel (see `between`).

        When both call each other at once there are two channels, so that giving up
        one does not end the other.

        Args:
            caller: The link that asks, and its validated address.
            callee: The link that is called, and its validated address.
            now: In seconds.
            ids: The caller's and the callee's, if they were told already.

        Raises:
            LocalProtocolError: The two links are one.
        """
        (caller_link, caller_at), (callee_link, callee_at) = caller, callee
        if caller_link == callee_link:
            raise LocalProtocolError("a channel from a link to itself")
        if (before := self._by_pair.get((caller_link, callee_link))) is not None:
            self._remove(before)
        by_udp = not (caller_at.is_tcp or callee_at.is_tcp)
        number = self.sharing.choose() if by_udp and ids is None else 0
        caller_id, callee_id = ids or self._two_ids(number)
        self._directions[caller_id] = _Way(caller_link, caller_at, callee_at, now)
        self._directions[callee_id] = _Way(callee_link, callee_at, caller_at, now)
        channel = Channel(caller_link, callee_link, caller_id, callee_id)
        self._channels[caller_id] = self._channels[callee_id] = channel
        self._by_pair[caller_link, callee_link] = channel
        for link in (caller_link, callee_link):
            self._by_link.setdefault(link, set()).add(channel)
        self._tell(caller_id, callee_id)
        return channel

    def reserve(self, caller: tuple[Link, Address], target: bytes) -> Reservation:
        """Give a caller a channel whose other side is still to come."""
        reserved = Reservation(caller[0], target, caller[1], *self._two_ids(0))
        self._reserved[reserved.caller_id] = reserved
        return reserved

    def fill(
        self, reserved: Reservation, callee: tuple[Link, Address], now: float
    ) -> Channel:
        """Open a reserved channel: the callee has come. `held` is to be sent then."""
        self._reserved.pop(reserved.caller_id, None)
        caller = (reserved.caller, reserved.source)
        return self.open(caller, callee, now, (reserved.caller_id, reserved.callee_id))

    def awaits(self, reserved: Reservation) -> bool:
        """Whether nobody has filled a reserved channel yet, or given it up."""
        return self._reserved.get(reserved.caller_id) is reserved

    def reserved_by(self, caller: Link) -> list[Reservation]:
        """Return the channels of a caller whose other side is still to come."""
        return [each for each in self._reserved.values() if each.caller == caller]

    def release(self, caller: Link, send_id: bytes) -> Reservation | None:
        """Give a reservation up, by the id with which its caller sends."""
        reserved = self._reserved.get(send_id)
        if reserved is None or reserved.caller != caller:
            return None
        return self._reserved.pop(send_id)

    @property
    def reserved(self) -> int:
        """How many channels wait for their other side."""
        return len(self._reserved)

    def between(self, caller: Link, callee: Link) -> Channel | None:
        """Return the channel that `caller` has to `callee` now, if any."""
        return self._by_pair.get((caller, callee))

    def of(self, link: Link) -> int:
        """Return how many channels a link has, at either end."""
        return len(self._by_link.get(link, ()))

    def called_by(self, link: Link) -> list[Channel]:
        """Return the channels that `link` asked for."""
        return [each for each in self._by_link.get(link, ()) if each.caller == link]

    def forward(
        self, frame: bytes, source: Address, now: float
    ) -> tuple[bytes, Address] | None:
        """Return what to send, and where to; None for a frame that is dropped.

        Args:
            frame: A datagram whose first byte says that it is a relayed frame.
            source: Where it came from.
            now: In seconds.
        """
        direction = self._directions.get(frame[1:FRAME_HEADER_BYTES])
        if direction is None:
            return self._held(frame, source)
        why = direction.take(frame, source, now)
        return (frame, direction.to) if why is None else self._dropped(why)

    def move(self, link: Link, address: Address) -> list[Channel]:
        """Let all channels of `link` follow it to an address that it has validated.

        Returns:
            Those that have ended, since a forwarder can't reach a WebSocket. (wzp's own
            clients come by TCP with a new link.)
        """
        for reserved in self.reserved_by(link):
            reserved.source = address
        ended = []
        for channel in list(self._by_link.get(link, ())):
            if address.is_tcp and self.sharing.number_of(channel.caller_id):
                self._remove(channel)
                ended.append(channel)
                continue
            self._directions[channel.send_id(link)].source = address
            self._directions[channel.send_id(channel.other(link))].to = address
            self._tell(channel.caller_id, channel.callee_id)
        return ended

    def credit(self, send_id: bytes, packets: int, size: int, now: float) -> None:
        """Count what a forwarder has passed on; the channel may have ended since."""
        direction = self._directions.get(send_id)
        if direction is None:
            self._ended_packets += packets
            self._ended_bytes += size
            return
        direction.packets += packets
        direction.bytes += size
        direction.packets_done_s = max(direction.packets_done_s, now)

    def reveal(self, link: Link, send_id: bytes) -> Channel | None:
        """Let the other side know from now on where `link` is.

        Returns:
            The channel in which it sends with this id; None: there is none, or the
            other side knows already.
        """
        direction = self._directions.get(send_id)
        if direction is None or direction.sender != link or direction.revealed:
            return None
        direction.revealed = True
        return self._channels[send_id]

    def revealing(self, link: Link) -> list[Channel]:
        """Return the channels whose other side may know where `link` is."""
        channels = self._by_link.get(link, ())
        return [c for c in channels if self._directions[c.send_id(link)].revealed]

    def find(self, link: Link, send_id: bytes) -> Channel | None:
        """Return the channel in which `link` sends with this id, if there is one."""
        direction = self._directions.get(send_id)
        if direction is None or direction.sender != link:
            return None
        return self._channels[send_id]

    def close(self, link: Link, send_id: bytes) -> Channel | None:
        """End the channel in which `link` sends with this id; None if there is none."""
        channel = self.find(link, send_id)
        if channel is not None:
            self._remove(channel)
        return channel

    def close_link(self, link: Link) -> list[Channel]:
        """End every channel of a link that is gone, and return them."""
        ended = list(self._by_link.get(link, ()))
        for channel in ended:
            self._remove(channel)
        return ended

    def sweep(self, now: float) -> list[Channel]:
        """End the channels that were idle both ways for too long; return them."""
        since_s = now - RELAY_CHANNEL_IDLE_S
        ended = [c for c in self._by_pair.values() if self._used_s(c) < since_s]
        for channel in ended:
            self._remove(channel)
        return ended

    def forwarded(self, channel: Channel) -> tuple[int, int]:
        """Return packets and bytes passed on so far, both ways, frames' header and all.

        A channel that has ended has (0, 0): ask before.
        """
        ways = [
            self._directions[send_id]
            for send_id in (channel.caller_id, channel.callee_id)
            if send_id in self._directions
        ]
        return sum(way.packets for way in ways), sum(way.bytes for way in ways)

    @property
    def forwarded_total(self) -> tuple[int, int]:
        """Packets and bytes passed on since the start, by all channels there were."""
        ways = self._directions.values()
        return (
            self._ended_packets + sum(way.packets for way in ways),
            self._ended_bytes + sum(way.bytes for way in ways),
        )

    def _held(self, frame: bytes, source: Address) -> tuple[bytes, Address] | None:
        """Keep the first frames for a callee that is on the way; drop all others."""
        reserved = self._reserved.get(frame[1:FRAME_HEADER_BYTES])
        if reserved is None or len(reserved.held) >= FLEET_HELD_FRAMES:
            return self._dropped(DropReason.UNKNOWN_CHANNEL)
        if reserved.source != source:
            return self._dropped(DropReason.WRONG_SOURCE)
        reserved.held.append(frame)
        return None

    def _dropped(self, reason: DropReason) -> tuple[bytes, Address] | None:
        self.drops[reason] += 1
        return None

    def _tell(self, *send_ids: bytes) -> None:
        for send_id in send_ids:
            direction = self._directions[send_id]
            self.sharing.tell(send_id, direction.source, direction.to)

    def _new_id(self, number: int, but: bytes = b"") -> bytes:
        """Return a random one whose frames come to this process or that forwarder."""
        taken = (self._directions, self._reserved, (but,))
        while True:
            send_id = self._random_bytes(CHANNEL_ID_BYTES)
            if self.sharing.number_of(send_id) != number:
                continue
            if not any(send_id in each for each in taken):
                return send_id

    def _two_ids(self, number: int) -> tuple[bytes, bytes]:
        first = self._new_id(number)
        return first, self._new_id(number, first)

    def _used_s(self, channel: Channel) -> float:
        """Return when it was used last, at most a burst too late."""
        return max(
            self._directions[channel.caller_id].packets_done_s,
            self._directions[channel.callee_id].packets_done_s,
        )

    def _remove(self, channel: Channel) -> None:
        packets, size = self.forwarded(channel)
        self._ended_packets += packets
        self._ended_bytes += size
        for send_id in (channel.caller_id, channel.callee_id):
            self.sharing.forget(send_id)
            del self._directions[send_id], self._channels[send_id]
        del self._by_pair[channel.caller, channel.callee]
        for link in (channel.caller, channel.callee):
            self._by_link[link].discard(channel)
            if not self._by_link[link]:
                del self._by_link[link]
