"""Who calls whom: channels asked for, joined, reserved for who comes, and ended."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from wzp_cli.defaults.relay import RELAY_MAX_DEVICES_PER_TARGET
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import ConnectionLost, WzpError
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.fleet import Found, Ticket, Wanted
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.relay.counts import Counts
from wzp_cli.relay.drain import Drain
from wzp_cli.relay.fleet import Fleet, FleetCall
from wzp_cli.relay.forwarding.channels import Channel, ChannelTable, Reservation
from wzp_cli.relay.limits import Limits, Refusal
from wzp_cli.relay.presence import Presence, Reachable
from wzp_cli.relay.turn import TurnService

__all__ = ["Calls"]

_Stream = MessageStream[relay.RelayMessage]


@dataclass
class Calls:
    """The calls of one relay.

    Attributes:
        tell: Says something to a client, if it is still there.
        spawn: Lets something go on beside, until the relay ends.
        fleet: The other relays, if any.
    """

    endpoint: Endpoint
    tell: Callable[[Link, Message], None]
    spawn: Callable[[Coroutine[None, None, None]], object]
    fleet: Fleet | None
    channels: ChannelTable = field(default_factory=ChannelTable)
    presence: Presence = field(default_factory=Presence)
    limits: Limits = field(default_factory=Limits)
    counts: Counts = field(default_factory=Counts)
    drain: Drain = field(default_factory=Drain)

    def let_go(self, link: Link) -> None:
        """While draining: a client without channels has no reason to stay."""
        if self.drain.begun and not self.channels.of(link):
            link.refuse(Refusal.DRAINING.told)

    def findable(self, identity: Identity) -> None:
        """Let the fleet know whether somebody may be called here."""
        if self.fleet is not None:
            is_findable = self.presence.is_findable(identity.key)
            self.fleet.findable(identity, is_findable)

    # -- asked for

    def connect(self, message: relay.Connect, stream: _Stream) -> None:
        """Give a caller a channel to each of the target's devices, or say why not."""
        link = stream.link
        try:
            target = Identity.parse(message.target)
        except WzpError:
            self._refuse(stream, message, Refusal.OFFLINE)
            return
        refusal = self._admit_connect(link.identity, target)
        if refusal is not None:
            self._refuse(stream, message, refusal)
        elif self.fleet is not None:
            work = self._connect_fleet(message, stream, target, self.fleet)
            self.spawn(work)
        else:
            self._answer_connect(message, stream, target, [], Refusal.OFFLINE)

    def _answer_connect(
        self,
        message: relay.Connect,
        stream: _Stream,
        target: Identity,
        elsewhere: list[relay.Device],
        otherwise: Refusal,
    ) -> None:
        """Join the target's devices that are here; tell the caller of all."""
        link = stream.link
        found = self.presence.reachable(target.key, by=link)
        here = [each for each in found if self._take_channel(link)]
        if not here and not elsewhere:
            refusal = Refusal.CHANNEL_LIMIT if found else otherwise
            self._refuse(stream, message, refusal)
            return
        self.counts.connects["connected"] += 1
        devices = [self._join(link, reachable) for reachable in here] + elsewhere
        self.presence.start_calling(link, target.key)
        connected = relay.Connected(
            request=message.request, devices=devices[:RELAY_MAX_DEVICES_PER_TARGET]
        )
        self.tell(link, connected)

    def _take_channel(self, caller: Link) -> bool:
        return self.limits.take_channels(caller.identity.key, 1)

    def _admit_connect(self, caller: Identity, target: Identity) -> Refusal | None:
        if self.drain.begun:
            return Refusal.DRAINING
        return self.limits.admit_connect(caller.key, target.key, self.endpoint.now())

    def _join(self, caller: Link, reachable: Reachable) -> relay.Device:
        callee = reachable.link
        assert isinstance(callee, Link)
        assert caller.address is not None
        assert callee.address is not None
        before = self.channels.between(caller, callee)
        if before is not None:
            self.close(self.channels.close(caller, before.caller_id), None)
        channel = self.channels.open(
            (caller, caller.address), (callee, callee.address), self.endpoint.now()
        )
        self.tell(
            callee,
            relay.Incoming(channel=channel.ids(callee), caller=str(caller.identity)),
        )
        return relay.Device(device=reachable.device, channel=channel.ids(caller))

    # -- calls between relays of a fleet

    async def _connect_fleet(
        self, message: relay.Connect, stream: _Stream, target: Identity, fleet: Fleet
    ) -> None:
        """Ask the others, too: the callee's devices there are told to come here."""
        link = stream.link
        call, wanted = fleet.begin(link, link.identity, target, self.endpoint.now())
        self.presence.start_calling(link, target.key)  # so that they may call back
        self.findable(link.identity)
        devices: list[str] = []
        otherwise = Refusal.OFFLINE
        try:
            await fleet.settled()
            devices = await fleet.find(call, wanted)
        except ConnectionLost:
            otherwise = Refusal.FLEET
        if link.ended:
            return
        elsewhere = [self._expect(call, device) for device in devices]
        known = [device for device in elsewhere if device is not None]
        if devices and not known:
            otherwise = Refusal.CHANNEL_LIMIT
        self._answer_connect(message, stream, target, known, otherwise)
        self._stop_calling(link, target.key)

    def _expect(self, call: FleetCall, device: str) -> relay.Device | None:
        """Return a channel to a device that is on the way, or was quick."""
        caller = call.caller
        assert isinstance(caller, Link)
        if device in call.joined:
            return relay.Device(device=device, channel=call.joined[device].ids(caller))
        reserved = self._reserve(call)
        if reserved is None:
            return None
        call.reserved[device] = reserved
        return relay.Device(device=device, channel=reserved.ids)

    def _reserve(self, call: FleetCall) -> Reservation | None:
        caller = call.caller
        assert isinstance(caller, Link)
        if caller.ended or caller.address is None or not self._take_channel(caller):
            return None
        return self.channels.reserve((caller, caller.address), call.target.key)

    def offer(self, target: Identity, wanted: Wanted) -> Found:
        """Tell the target's devices here to join a call at another relay."""
        caller = Identity.parse(wanted.caller)
        now = self.endpoint.now()
        if self.drain.begun or not self.limits.admit_offer(target.key, now):
            return Found()
        found = self.presence.reachable_from(caller.key, target.key)
        for each in found:
            ticket = str(Ticket.issue(wanted.call, each.device, wanted.secret))
            summoned = relay.Summoned(addresses=wanted.addresses, ticket=ticket)
            assert isinstance(each.link, Link)
            self.tell(each.link, summoned)
        return Found(devices=tuple(each.device for each in found))

    def redeem(self, shown: str, link: Link) -> tuple[FleetCall, str] | None:
        """Return the call and the device that a ticket is for; None: it is not good."""
        if self.fleet is None:
            return None
        return self.fleet.redeem(shown, link.identity, self.endpoint.now())

    def arrive(self, call: FleetCall, device: str, link: Link) -> None:
        """A callee's link from another relay is here: open its channel."""
        reserved = call.reserved.get(device) or self._reserve(call)
        caller = call.caller
        assert isinstance(caller, Link)
        if (
            reserved is None
            or not self.channels.awaits(reserved)  # the caller has given it up
            or link.address is None
            or caller.ended
        ):
            link.refuse("the call is over")
            return
        channel = self.channels.fill(
            reserved, (link, link.address), self.endpoint.now()
        )
        call.joined[device] = channel
        self.tell(
            link, relay.Incoming(channel=channel.ids(link), caller=str(caller.identity))
        )
        for frame in reserved.held:
            self.endpoint.pass_on(frame, reserved.source)

    def release(self, reserved: Reservation | None) -> None:
        """Whoever was expected does not come any more."""
        if reserved is None:
            return
        caller = reserved.caller
        assert isinstance(caller, Link)
        self.tell(caller, relay.Closed(channel=reserved.ids.receive))
        self.limits.release_channels(caller.identity.key, 1)
        self._stop_calling(caller, reserved.target)

    def _give_up(self, call: FleetCall) -> None:
        for reserved in call.reserved.values():
            self.release(self.channels.release(reserved.caller, reserved.caller_id))

    # -- another way beside the channel

    def grant_turn(self, turn: TurnService | None, link: Link, send_id: bytes) -> None:
        """Give credentials for one call; silence where there are none to give."""
        channel = self.channels.find(link, send_id)
        if turn is None:
            return
        if channel is None:
            self.counts.grants["no_channel"] += 1
            return
        if not self.limits.admit_grant(link.identity.key, self.endpoint.now()):
            self.counts.grants["limit"] += 1
            return
        self.counts.grants["granted"] += 1
        grant = turn.grant()
        self.tell(
            link,
            relay.TurnGranted(
                channel=channel.ids(link).receive,
                server=grant.server,
                username=grant.username,
                password=grant.password,
                tcp=grant.tcp,
                tls=grant.tls,
            ),
        )

    # -- the ends of calls

    def _refuse(
        self, stream: _Stream, message: relay.Connect, refusal: Refusal
    ) -> None:
        self.counts.connects[refusal.value] += 1
        stream.send(relay.Refused(request=message.request, reason=refusal.told))

    def close(self, channel: Channel | None, by: Link | None) -> None:
        """Tell the other side (both, when it was nobody's wish) and give back."""
        if channel is None:
            return
        caller, callee = channel.caller, channel.callee
        assert isinstance(caller, Link)
        assert isinstance(callee, Link)
        for link in (caller, callee):
            if link is not by:
                self.tell(link, relay.Closed(channel=channel.ids(link).receive))
        self.limits.release_channels(caller.identity.key, 1)
        self._stop_calling(caller, callee.identity.key)
        self.drain.changed()
        for link in (caller, callee):
            self.let_go(link)

    def _stop_calling(self, caller: Link, target: bytes) -> None:
        """The target may not call back any more, if that was the last channel to it."""
        called = (channel.callee for channel in self.channels.called_by(caller))
        keys = {link.identity.key for link in called if isinstance(link, Link)}
        keys |= {reserved.target for reserved in self.channels.reserved_by(caller)}
        if target not in keys:
            self.presence.stop_calling(caller, target)
            self.findable(caller.identity)

    # -- over

    def hang_up(self, link: Link, send_id: bytes) -> None:
        """End the channel in which `link` sends with this id, open or reserved."""
        self.close(self.channels.close(link, send_id), link)
        self.release(self.channels.release(link, send_id))

    def forget(self, link: Link) -> None:
        """A client is gone, and its calls with it."""
        for channel in self.channels.close_link(link):
            self.close(channel, link)
        for reserved in self.channels.reserved_by(link):
            self.release(self.channels.release(link, reserved.caller_id))
        self.presence.leave(link)
        self.findable(link.identity)

    def sweep(self, now: float) -> None:
        """End what nobody uses, and who was waited for in vain."""
        for channel in self.channels.sweep(now):
            self.close(channel, None)
        for call in self.fleet.overdue(now) if self.fleet else ():
            self._give_up(call)
