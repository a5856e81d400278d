"""`wzp relay`: it knows who is online, tells addresses, forwards opaque datagrams."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli import __version__
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults import (
    HELLO_TIMEOUT_S,
    RELAY_MAX_LINKS,
    RELAY_MAX_LINKS_PER_IDENTITY,
    RELAY_SWEEP_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.link import Link
from wzp_cli.endpoint.message_stream import MessageStream
from wzp_cli.endpoint.reflector import BindingBudget, Reflector
from wzp_cli.errors import WzpError
from wzp_cli.events import RelayDraining, RelayReloaded, RelayStats, Report
from wzp_cli.protocol import relay_messages as relay
from wzp_cli.protocol.identity import Identity
from wzp_cli.protocol.relay_facts import RelayFacts
from wzp_cli.protocol.signal import Message
from wzp_cli.relay.access import AccessRules, token_digest
from wzp_cli.relay.channels import Channel, ChannelTable, DropReason
from wzp_cli.relay.counts import Counts
from wzp_cli.relay.drain import Drain
from wzp_cli.relay.limits import TURNED_AWAY, Limits, Refusal
from wzp_cli.relay.presence import Presence, Reachable

__all__ = ["Relay", "RelaySettings", "run_relay"]

_Stream = MessageStream[relay.RelayMessage]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How a relay is run.

    Attributes:
        access: Who may use it.
    """

    access: AccessRules = field(default_factory=AccessRules)


async def run_relay(
    endpoint: Endpoint,
    reflectors: Sequence[Reflector],
    settings: RelaySettings,
    report: Report,
) -> None:
    """Serve until cancelled.

    Args:
        endpoint: The one socket: signalling, reflection and channels.
        reflectors: The extra ports, already open.
        settings: Who may use it.
        report: Takes RelayStats.
    """
    await Relay(endpoint, reflectors, settings, report).run()


@dataclass
class Relay:
    """A relay at work. `run` serves; the rest steers it, from the same event loop."""

    endpoint: Endpoint
    reflectors: Sequence[Reflector]
    settings: RelaySettings
    report: Report
    channels: ChannelTable = field(default_factory=ChannelTable)
    presence: Presence = field(default_factory=Presence)
    limits: Limits = field(default_factory=Limits)
    counts: Counts = field(default_factory=Counts)
    _drain: Drain = field(default_factory=Drain)
    _streams: dict[Link, _Stream] = field(default_factory=dict)
    _shown: dict[Link, bytes] = field(default_factory=dict)
    _located: dict[Link, Address] = field(default_factory=dict)
    _told: RelayStats | None = None

    def __post_init__(self) -> None:
        self._began = self.endpoint.now()

    async def run(self) -> None:
        """Serve until cancelled, or until a drain is over."""
        now, forward = self.endpoint.now, self.channels.forward
        budget = BindingBudget(now())
        self.endpoint.forward = lambda frame, source: forward(frame, source, now())
        self.endpoint.answer_binding = lambda request, source: budget.allows(
            request, source, now()
        )
        self.endpoint.accept_relay_clients()
        async with task_group() as group:
            beside = [
                group.create_task(self._accept(group)),
                group.create_task(self._sweep()),
                group.create_task(self.counts.watch_loop()),
            ]
            await self._drain.wait_begun()
            await self._drain.wait_over(lambda: len(self.channels))
            for task in beside:
                task.cancel()
            for link in list(self._streams):
                link.refuse("the relay has stopped")

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        while True:
            link = await self.endpoint.accept()
            group.create_task(self._serve(link))

    # -- steered by its operator

    def reload(self, settings: RelaySettings) -> None:
        """Go by other rules from now on; whom they refuse is gone at once."""
        self.settings = settings
        refused = [link for link in self._streams if not self._may(link)]
        for link in refused:
            self._tell(link, relay.Refused(request="", reason=Refusal.ACCESS.told))
            link.refuse("access was withdrawn")
            self._forget(link)
        access = settings.access
        self.report(
            RelayReloaded(
                tokens=None if access.tokens is None else len(access.tokens),
                allowed=None if access.allowed is None else len(access.allowed),
                blocked=len(access.blocked),
                closed=len(refused),
            )
        )

    def drain(self, within_s: float) -> None:
        """Stop soon: send clients away, give calls under way so much time."""
        if self._drain.begun:
            return
        self._drain.begin(within_s)
        event = RelayDraining(channels=len(self.channels), within_s=within_s)
        self.report(event)
        for link in list(self._streams):
            self._tell(link, relay.Draining(within_s=within_s))
            self._let_go(link)

    def _let_go(self, link: Link) -> None:
        """While draining: a client without channels has no reason to stay."""
        if self._drain.begun and not self.channels.of(link):
            link.refuse(Refusal.DRAINING.told)

    def facts(self) -> RelayFacts:
        """Return what there is to know now."""
        packets, size = self.channels.forwarded_total
        return RelayFacts(
            version=__version__,
            id=str(self.endpoint.identity),
            state="draining" if self._drain.begun else "serving",
            uptime_s=round(self.endpoint.now() - self._began, 1),
            links=len(self.presence),
            published=self.presence.published,
            channels=len(self.channels),
            half_open=self.endpoint.half_open,
            forwarded_packets=packets,
            forwarded_bytes=size,
            dropped={str(reason): self.channels.drops[reason] for reason in DropReason},
            socket=self.endpoint.losses._asdict(),
            entered=dict(self.counts.entered),
            connects=dict(self.counts.connects),
            handshakes=dict(self.endpoint.handshakes),
            loop_lag=self.counts.loop_lag,
        )

    # -- clients

    async def _serve(self, link: Link) -> None:
        """Serve one client to its end; what it does wrong ends nobody else."""
        address = link.address
        if why := self._turned_away(link, address):
            self.counts.entered[why] += 1
            link.refuse(TURNED_AWAY[why])
            return
        assert address is not None
        stream: _Stream = MessageStream(link, relay.RelayMessage)
        self._streams[link] = stream
        self._locate(link, address)
        self.presence.join(link, link.identity.key)
        link.on_address = lambda moved: self._moved(link, moved)
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                entered = await stream.receive()
            if isinstance(entered, relay.Enter):
                await self._entered(entered, stream, address)
        except (WzpError, TimeoutError):
            pass  # it is over, one way or another
        finally:
            link.refuse("bye")
            self._forget(link)

    async def _entered(
        self, entered: relay.Enter, stream: _Stream, address: Address
    ) -> None:
        self._shown[stream.link] = token_digest(entered.token)
        if not self._may(stream.link):
            self.counts.entered["access"] += 1
            refused = relay.Refused(request="", reason=Refusal.ACCESS.told)
            await stream.close(refused, "no access")
            return
        self.counts.entered["welcome"] += 1
        self._welcome(stream, address)
        async for message in stream.messages():
            self._take(message, stream)

    def _may(self, link: Link) -> bool:
        """Whether the rules, as they are now, admit a client (that has entered)."""
        if link not in self._shown:
            return True
        return self.settings.access.admit(link.identity.key, self._shown[link])

    def _turned_away(self, link: Link, address: Address | None) -> str:
        """Return why a client can't be taken now, of TURNED_AWAY; "" if it can."""
        if self._drain.begun:
            return "draining"
        if address is None:
            return "no_address"
        if not self.limits.admit_registration(address, self.endpoint.now()):
            return "source_limit"
        if (
            len(self.presence.links_of(link.identity.key))
            >= RELAY_MAX_LINKS_PER_IDENTITY
        ):
            return "identity_limit"
        return "full" if len(self._streams) >= RELAY_MAX_LINKS else ""

    def _welcome(self, stream: _Stream, address: Address) -> None:
        stream.trust()
        stream.send(
            relay.Welcome(
                version=__version__,
                address=str(address),
                ports=tuple(reflector.port for reflector in self.reflectors),
            )
        )

    def _take(self, message: relay.RelayMessage, stream: _Stream) -> None:
        link = stream.link
        match message:
            case relay.Publish():
                self.presence.publish(link)
                stream.send(relay.Published())
            case relay.Unpublish():
                self.presence.unpublish(link)
            case relay.Connect():
                self._connect(message, stream)
            case relay.Closed(channel=send_id):
                self._close(self.channels.close(link, bytes.fromhex(send_id)), link)
            case relay.Reveal(channel=send_id):
                channel = self.channels.reveal(link, bytes.fromhex(send_id))
                if channel is not None:
                    self._tell_where(channel, link)
            case relay.ProbeMe(port=port):
                self._probe(link, port)

    # -- calls

    def _connect(self, message: relay.Connect, stream: _Stream) -> None:
        link = stream.link
        try:
            target = Identity.parse(message.target)
        except WzpError:
            self._refuse(stream, message, Refusal.OFFLINE)
            return
        refusal, found = self._find(link, target)
        if refusal is not None:
            self._refuse(stream, message, refusal)
            return
        self.counts.connects["connected"] += 1
        devices = [self._join(link, reachable) for reachable in found]
        self.presence.start_calling(link, target.key)
        stream.send(relay.Connected(request=message.request, devices=devices))

    def _find(
        self, link: Link, target: Identity
    ) -> tuple[Refusal | None, list[Reachable]]:
        caller = link.identity
        if self._drain.begun:
            return Refusal.DRAINING, []
        now = self.endpoint.now()
        refusal = self.limits.admit_connect(caller.key, target.key, now)
        if refusal is not None:
            return refusal, []
        found = self.presence.reachable(target.key, by=link)
        if not found:
            return Refusal.OFFLINE, []
        if not self.limits.take_channels(caller.key, len(found)):
            return Refusal.CHANNEL_LIMIT, []
        return None, found

    def _join(self, caller: Link, reachable: Reachable) -> relay.Device:
        callee = reachable.link
        assert isinstance(callee, Link)
        assert caller.address is not None
        assert callee.address is not None
        before = self.channels.between(caller, callee)
        if before is not None:
            self._close(self.channels.close(caller, before.caller_id), None)
        channel = self.channels.open(
            (caller, caller.address), (callee, callee.address), self.endpoint.now()
        )
        self._tell(
            callee,
            relay.Incoming(channel=channel.ids(callee), caller=str(caller.identity)),
        )
        return relay.Device(device=reachable.device, channel=channel.ids(caller))

    def _refuse(
        self, stream: _Stream, message: relay.Connect, refusal: Refusal
    ) -> None:
        self.counts.connects[refusal.value] += 1
        stream.send(relay.Refused(request=message.request, reason=refusal.told))

    def _close(self, channel: Channel | None, by: Link | None) -> None:
        """Tell the other side (both, when it was nobody's wish) and give back."""
        if channel is None:
            return
        caller, callee = channel.caller, channel.callee
        assert isinstance(caller, Link)
        assert isinstance(callee, Link)
        for link in (caller, callee):
            if link is not by:
                self._tell(link, relay.Closed(channel=channel.ids(link).receive))
        self.limits.release_channels(caller.identity.key, 1)
        target = callee.identity.key
        if not any(
            isinstance(other.callee, Link) and other.callee.identity.key == target
            for other in self.channels.called_by(caller)
        ):
            self.presence.stop_calling(caller, target)
        self._drain.changed()
        for link in (caller, callee):
            self._let_go(link)

    def _tell(self, link: Link, message: Message) -> None:
        stream = self._streams.get(link)
        if stream is not None:
            with suppress(WzpError):  # gone, or not far enough to be told
                stream.send(message)

    # -- addresses

    def _locate(self, link: Link, address: Address | None) -> None:
        """Keep which own address this client talks to; None: it is gone."""
        before = self._located.pop(link, None)
        if before is not None and before not in self._located.values():
            self.endpoint.own_hosts.pop(before, None)
        if address is not None:
            self._located[link] = address
            self.endpoint.own_hosts[address] = link.own_host

    def _moved(self, link: Link, address: Address) -> None:
        self._locate(link, address)
        self.channels.move(link, address)
        self._tell(link, relay.Observed(address=str(address)))
        for channel in self.channels.revealing(link):
            self._tell_where(channel, link)

    def _tell_where(self, channel: Channel, link: Link) -> None:
        """Tell the other side where `link` is seen; it has asked us to."""
        other = channel.other(link)
        assert isinstance(other, Link)
        where = str(link.address)
        channel_id = channel.send_id(link).hex()
        self._tell(other, relay.Revealed(channel=channel_id, address=where))

    def _probe(self, link: Link, port: int) -> None:
        if not self.limits.admit_probe(link.identity.key, self.endpoint.now()):
            return
        for reflector in self.reflectors:
            if reflector.port == port and link.address is not None:
                reflector.probe(link.address, link.own_host)

    # -- ends

    def _forget(self, link: Link) -> None:
        for channel in self.channels.close_link(link):
            self._close(channel, link)
        self.presence.leave(link)
        self._locate(link, None)
        self._streams.pop(link, None)
        self._shown.pop(link, None)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(RELAY_SWEEP_S)
            for channel in self.channels.sweep(self.endpoint.now()):
                self._close(channel, None)
            stats = self._stats()
            if stats != self._told:
                self._told = stats
                self.report(stats)

    def _stats(self) -> RelayStats:
        packets, size = self.channels.forwarded_total
        return RelayStats(
            links=len(self.presence),
            published=self.presence.published,
            channels=len(self.channels),
            forwarded_packets=packets,
            forwarded_bytes=size,
            dropped={str(reason): n for reason, n in self.channels.drops.items()},
        )
