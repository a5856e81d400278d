"""`wzp ping`: find a path to a peer without ringing, and measure it."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import PING_INTERVAL_S, PING_SERVED_S
from wzp_cli.defaults.program import HELLO_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import (
    ConnectionLost,
    IdentityError,
    PeerUnreachable,
    VersionMismatch,
    WrongPeer,
    WzpError,
)
from wzp_cli.events import PathName, PathSpan, Pinged, Report
from wzp_cli.ports import FindInterfaces, PortMapping
from wzp_cli.protocol.messages.peer import (
    Candidates,
    Opened,
    Probe,
    ProbeTaken,
    Relayed,
    Searching,
)
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.policy import STRANGER, PolicyOf
from wzp_cli.protocol.traversal.route import DirectRoute, Route
from wzp_cli.services.conversation import Conversation, greet
from wzp_cli.services.relays.registration import Registration
from wzp_cli.services.routes.candidates import RoutePlan
from wzp_cli.services.routes.paths import RouteTaker

__all__ = ["PingOutcome", "PingSettings", "ping_address", "ping_identity", "take_probe"]


@dataclass(frozen=True, slots=True)
class PingSettings:
    """How to ping.

    Attributes:
        name: What we call ourselves.
        direct: Try direct routes; False keeps to the relay.
        port_mapping: A port of our router's, to offer as well.
        policy: What the user has said of an identity.
        count: How many pings, one each second.
        until_direct: Stop as soon as the path is direct.
    """

    name: str = ""
    direct: bool = True
    port_mapping: PortMapping | None = None
    policy: PolicyOf = lambda identity: STRANGER
    count: int = 10
    until_direct: bool = False


@dataclass(frozen=True, slots=True)
class PingOutcome:
    """What came of it. Times count from the peer's consent, but for `setup_ms`."""

    peer: str
    path: PathName
    paths: list[PathSpan]
    remote: str
    setup_ms: float
    time_to_direct_ms: float | None
    why_not_direct: str | None
    sent: int
    rtts_ms: list[float]


async def ping_identity(
    endpoint: Endpoint,
    registration: Registration,
    target: Identity,
    settings: PingSettings,
    find_interfaces: FindInterfaces,
    report: Report,
) -> PingOutcome:
    """Ping an identity through the relay, and directly once there is a way.

    Raises:
        PeerOffline, PeerUnreachable, WrongPeer: It can't be reached.
        VersionMismatch: It is too old to be pinged.
        RelayUnreachable: The relay is lost.
    """
    began = endpoint.now()
    routes = await registration.connect(target)
    mapping = settings.port_mapping
    plan = RoutePlan(settings.direct, find_interfaces, registration, mapping)
    try:
        return await _ping(endpoint, routes, target, plan, settings, began, report)
    finally:
        for route in routes:
            registration.close_channel(route)


async def ping_address(
    endpoint: Endpoint,
    addresses: Sequence[Address],
    target: Identity | None,
    settings: PingSettings,
    find_interfaces: FindInterfaces,
    report: Report,
) -> PingOutcome:
    """Ping whoever listens at a bare address. Raises as above."""
    routes = [DirectRoute(address) for address in addresses]
    mapping = settings.port_mapping
    plan = RoutePlan(settings.direct, find_interfaces, None, mapping)
    began = endpoint.now()
    return await _ping(endpoint, routes, target, plan, settings, began, report)


async def take_probe(
    endpoint: Endpoint,
    conversation: Conversation,
    plan: RoutePlan,
    probe: Probe,
) -> None:
    """Let a peer find a path to us and measure it, for PING_SERVED_S at most."""
    conversation.say(ProbeTaken(call=probe.call, direct=plan.direct))
    routes = RouteTaker(endpoint, conversation, plan, lambda event: None)
    try:
        with suppress(WzpError, TimeoutError):
            async with asyncio.timeout(PING_SERVED_S), task_group() as group:
                group.create_task(routes.run())
                routes.offer()
                await _hear(conversation, routes)
    finally:
        await _part(conversation, routes)


async def _ping(
    endpoint: Endpoint,
    routes: Sequence[Route],
    target: Identity | None,
    plan: RoutePlan,
    settings: PingSettings,
    began: float,
    report: Report,
) -> PingOutcome:
    conversation, direct = await _reach_one(endpoint, routes, target, settings.name)
    keeps = settings.policy(conversation.peer).always_relay
    plan = replace(plan, direct=plan.direct and not keeps)
    setup_ms = round((endpoint.now() - began) * 1000, 1)
    taker = RouteTaker(endpoint, conversation, plan, report)
    pinging = _Pinging(endpoint, conversation, taker, settings, report)
    try:
        async with task_group() as group:
            beside = [
                group.create_task(taker.run()),
                group.create_task(_hear(conversation, taker)),
            ]
            taker.offer()
            await pinging.run()
            for task in beside:
                task.cancel()
    finally:
        await _part(conversation, taker)
    why_not = taker.why_not_direct
    if not direct and why_not is not None:
        why_not = "the peer lets nobody but its contacts look for a direct path"
    return PingOutcome(
        peer=str(conversation.peer),
        path=taker.path,
        paths=taker.spans,
        remote=taker.remote,
        setup_ms=setup_ms,
        time_to_direct_ms=taker.time_to_direct_ms,
        why_not_direct=why_not,
        sent=pinging.sent,
        rtts_ms=pinging.rtts_ms,
    )


@dataclass
class _Pinging:
    endpoint: Endpoint
    conversation: Conversation
    routes: RouteTaker
    settings: PingSettings
    report: Report
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)

    async def run(self) -> None:
        began = self.endpoint.now()
        while self.sent < self.settings.count:
            await self._ping_once()
            if self.settings.until_direct and self.routes.path == "direct":
                return
            if self.sent < self.settings.count:
                next_at = began + self.sent * PING_INTERVAL_S
                await asyncio.sleep(next_at - self.endpoint.now())

    async def _ping_once(self) -> None:
        self.sent += 1
        answered = await self.conversation.link.ping(PING_INTERVAL_S)
        # Of the path's keyed checks: the link delays its acknowledgements.
        rtt_ms = self.routes.rtt_ms if answered else None
        if self.conversation.link.ended:
            raise ConnectionLost("the peer is gone")
        if rtt_ms is not None:
            rtt_ms = round(rtt_ms, 1)
            self.rtts_ms.append(rtt_ms)
        self.report(
            Pinged(
                number=self.sent,
                path=self.routes.path,
                remote=self.routes.remote,
                rtt_ms=rtt_ms,
            )
        )


async def _hear(conversation: Conversation, routes: RouteTaker) -> None:
    """Take what the peer says of its routes, until it leaves."""
    while True:
        match await conversation.heard():
            case (Candidates() | Opened() | Searching() | Relayed()) as message:
                routes.take(message)


async def _part(conversation: Conversation, routes: RouteTaker) -> None:
    """Leave, then close what the last word may have had to go through."""
    try:
        await conversation.leave()
    finally:
        routes.close()


async def _reach_one(
    endpoint: Endpoint, routes: Sequence[Route], target: Identity | None, name: str
) -> tuple[Conversation, bool]:
    """Return the first device that takes a ping, and whether directly, too."""
    failure: WzpError = PeerUnreachable("no address to try")
    for route in routes:
        try:
            return await _reach(endpoint, route, target, name)
        except ConnectionLost as error:
            failure = PeerUnreachable(f"{route}: {error}")
        except IdentityError as error:
            failure = WrongPeer(f"{route}: {error}")
        except WzpError as error:
            failure = error
    raise failure


async def _reach(
    endpoint: Endpoint, route: Route, target: Identity | None, name: str
) -> tuple[Conversation, bool]:
    conversation = await greet(await endpoint.dial_peer(route, target), name)
    probe = Probe(call=secrets.token_hex(8))
    conversation.say(probe)
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            while True:
                match await conversation.heard():
                    case ProbeTaken(direct=direct):
                        return conversation, direct
    except (TimeoutError, ConnectionLost):
        await conversation.leave()
        raise VersionMismatch("the peer does not know what a ping is") from None
