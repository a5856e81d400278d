"""`wzp relay`: it knows who is online, tells addresses, forwards opaque datagrams."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli import __version__
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import HELLO_TIMEOUT_S
from wzp_cli.defaults.relay import (
    RELAY_MAX_LINKS,
    RELAY_MAX_LINKS_PER_IDENTITY,
    RELAY_SWEEP_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.endpoint.sockets.wire import Losses
from wzp_cli.endpoint.stun.reflector import BindingBudget, Reflector
from wzp_cli.errors import WzpError
from wzp_cli.events import RelayDraining, RelayReloaded, RelayStats, Report
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.relay_facts import RelayFacts
from wzp_cli.relay.access import AccessRules, token_digest
from wzp_cli.relay.calls import Calls
from wzp_cli.relay.fleet import Fleet
from wzp_cli.relay.forwarding.data_plane import DropReason
from wzp_cli.relay.forwarding.forwarders import Forwarders
from wzp_cli.relay.forwarding.messages import Account
from wzp_cli.relay.limits import TURNED_AWAY, Refusal
from wzp_cli.relay.turn import TurnService
from wzp_cli.relay.whereabouts import Whereabouts, as_told

__all__ = ["Relay", "RelaySettings", "run_relay"]

_Stream = MessageStream[relay.RelayMessage]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How a relay is run.

    Attributes:
        access: Who may use it.
        turn: TURN servers that its clients may use; None: there are none.
    """

    access: AccessRules = field(default_factory=AccessRules)
    turn: TurnService | None = None


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
    """A relay at work. `run` serves; the rest steers it, from the same event loop.

    Attributes:
        tcp_port: Where WebSockets are taken for the same endpoint; None: nowhere.
        forwarders: Processes that forward beside this one; None: none do.
    """

    endpoint: Endpoint
    reflectors: Sequence[Reflector]
    settings: RelaySettings
    report: Report
    fleet: Fleet | None = None
    tcp_port: int | None = None
    forwarders: Forwarders | None = None
    _streams: dict[Link, _Stream] = field(default_factory=dict)
    _shown: dict[Link, bytes] = field(default_factory=dict)
    _vouched: set[Link] = field(default_factory=set)
    _told: RelayStats | None = None

    def __post_init__(self) -> None:
        self._began = self.endpoint.now()
        self.calls = Calls(self.endpoint, self._tell, self._spawn, self.fleet)
        self.channels, self.presence = self.calls.channels, self.calls.presence
        self.limits, self.counts = self.calls.limits, self.calls.counts
        self._drain = self.calls.drain
        if self.forwarders is not None:
            self.channels.sharing = self.forwarders
            self.forwarders.on_account = self._credit
            self.forwarders.own_host = self._own_host
        self.whereabouts = Whereabouts(
            self.endpoint, self.reflectors, self.calls, self._tell
        )

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
            self._group = group
            if self.fleet is not None:
                self.fleet.answer = self.calls.offer
                beside.append(group.create_task(self.fleet.keep()))
            if self.forwarders is not None:
                beside.append(group.create_task(self.forwarders.keep()))
            await self._drain.wait_begun()
            await self._drain.wait_over(lambda: len(self.channels))
            for task in beside:
                task.cancel()
            for link in list(self._streams):
                link.refuse("the relay has stopped")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._group.create_task(work)

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        while True:
            group.create_task(self._serve(await self.endpoint.accept()))

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
            self.calls.let_go(link)

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
            dropped=self._dropped(),
            socket=self._losses()._asdict(),
            entered=dict(self.counts.entered),
            connects=dict(self.counts.connects),
            handshakes=dict(self.endpoint.handshakes),
            loop_lag=self.counts.loop_lag,
            reserved=self.channels.reserved,
            tunnels=len(self.endpoint.tunnels),
            tunnels_refused=dict(self.endpoint.tunnels.refused),
            turn_grants=dict(self.counts.grants),
            fleet=None if self.fleet is None else self.fleet.facts(),
            forwarders=None if self.forwarders is None else self.forwarders.facts(),
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
        self.whereabouts.locate(link, address)
        self.presence.join(link, link.identity.key)
        link.on_address = lambda moved: self.whereabouts.moved(link, moved)
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
        link = stream.link
        self._shown[link] = token_digest(entered.token)
        joins = self.calls.redeem(entered.join, link) if entered.join else None
        if joins is not None:
            self._vouched.add(link)
        if not self._may(link) or (entered.join and joins is None):
            self.counts.entered["access"] += 1
            refused = relay.Refused(request="", reason=Refusal.ACCESS.told)
            await stream.close(refused, "no access")
            return
        self.counts.entered["welcome"] += 1
        self._welcome(stream, address)
        if joins is not None:
            self.calls.arrive(*joins, link)
        async for message in stream.messages():
            self._take(message, stream)

    def _may(self, link: Link) -> bool:
        """Whether the rules, as they are now, admit a client (that has entered)."""
        if link not in self._shown:
            return True
        return self.settings.access.admit(
            link.identity.key, self._shown[link], vouched=link in self._vouched
        )

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
                address=as_told(address),
                ports=tuple(reflector.port for reflector in self.reflectors),
                tcp=self.tcp_port,
            )
        )

    def _take(self, message: relay.RelayMessage, stream: _Stream) -> None:
        link = stream.link
        match message:
            case relay.Publish(refuses=refuses):
                self._publish(stream, _keys(refuses))
            case relay.Unpublish():
                self.presence.unpublish(link)
                self.calls.findable(link.identity)
            case relay.Connect():
                self.calls.connect(message, stream)
            case relay.Closed(channel=send_id):
                self.calls.hang_up(link, bytes.fromhex(send_id))
            case relay.Reveal(channel=send_id):
                self.whereabouts.reveal(link, bytes.fromhex(send_id))
            case relay.ProbeMe():
                self.whereabouts.probe(message, link)
            case relay.TurnWanted(channel=send_id):
                self.calls.grant_turn(self.settings.turn, link, bytes.fromhex(send_id))

    def _publish(self, stream: _Stream, refuses: frozenset[bytes]) -> None:
        self.presence.publish(stream.link, refuses)
        self.calls.findable(stream.link.identity)
        if self.fleet is None:
            stream.send(relay.Published())
        else:
            self._spawn(self._published(stream, self.fleet))

    async def _published(self, stream: _Stream, fleet: Fleet) -> None:
        await fleet.settled()
        self._tell(stream.link, relay.Published())

    def _tell(self, link: Link, message: Message) -> None:
        stream = self._streams.get(link)
        if stream is not None:
            with suppress(WzpError):  # gone, or not far enough to be told
                stream.send(message)

    # -- ends

    def _forget(self, link: Link) -> None:
        link.on_address = None  # it points at itself by that: freed late
        self.calls.forget(link)
        self.whereabouts.locate(link, None)
        self._streams.pop(link, None)
        self._shown.pop(link, None)
        self._vouched.discard(link)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(RELAY_SWEEP_S)
            self.calls.sweep(self.endpoint.now())
            stats = self._stats()
            if stats != self._told:
                self._told = stats
                self.report(stats)

    def _dropped(self) -> dict[str, int]:
        dropped = {str(reason): self.channels.drops[reason] for reason in DropReason}
        return dropped | {"tcp_slow": self.endpoint.tunnels.dropped}

    def _losses(self) -> Losses:
        own = self.endpoint.losses
        if self.forwarders is None:
            return own
        received, sent = self.forwarders.losses
        return Losses(own.received + received, own.sent + sent)

    # -- forwarders

    def _credit(self, account: Account) -> None:
        now = self.endpoint.now()
        for passed in account.passed:
            self.channels.credit(passed.id, passed.packets, passed.bytes, now)
        for reason, count in account.dropped.items():
            self.channels.drops[DropReason(reason)] += count

    def _own_host(self, to: Address) -> str:
        """Return which own host frames to a client have to leave from, if any."""
        everywhere = self.endpoint.local.host in ("::", "0.0.0.0")
        return self.endpoint.own_hosts.get(to, "") if everywhere else ""

    def _stats(self) -> RelayStats:
        packets, size = self.channels.forwarded_total
        return RelayStats(
            links=len(self.presence),
            published=self.presence.published,
            channels=len(self.channels),
            forwarded_packets=packets,
            forwarded_bytes=size,
            dropped={reason: n for reason, n in self._dropped().items() if n},
        )


def _keys(identities: Sequence[str]) -> frozenset[bytes]:
    """Return the keys of those that are identities: nobody can be the others."""
    keys = set()
    for text in identities:
        with suppress(WzpError):
            keys.add(Identity.parse(text).key)
    return frozenset(keys)
