"""Where the house is put together: the endpoint opened, adapters given to services.

What concerns sound is in `sound.py`.
"""

import asyncio
import math
import statistics
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from msgspec import structs

from wzp_cli import __version__
from wzp_cli.adapters.disk.relay_lists import read_token
from wzp_cli.adapters.disk.state import State, open_state
from wzp_cli.adapters.interfaces import interface_addresses
from wzp_cli.adapters.port_mapping.keeper import keep_port_mapping
from wzp_cli.address import Address, HostPort
from wzp_cli.cli.command import Session
from wzp_cli.cli.peers import Peer, met
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.srv import look_up_srv
from wzp_cli.endpoint.stun.turn import DialTurn
from wzp_cli.endpoint.tunnels import DialTunnel, TakeDatagram, TunnelEnd
from wzp_cli.errors import (
    ConnectionLost,
    NameNotFound,
    NetworkError,
    RelayUnreachable,
    RequirementNotMet,
    StateUnusable,
    UsageError,
    WzpError,
)
from wzp_cli.events import Bound, Ended, Hello, Pings, Report, Warned
from wzp_cli.ports import PortMapping
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.services.calls.ping import PingOutcome
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.relays.registration import Registration, register

__all__ = [
    "Way",
    "connection_kept",
    "ended",
    "endpoint_of",
    "expiry",
    "find_interfaces",
    "own_state",
    "pinged",
    "port_mapped",
    "registered",
    "required_path",
    "tunnel_dialler",
    "way_to",
]

find_interfaces = interface_addresses


def own_state(session: Session) -> State:
    """Return this user's state folder."""
    return open_state(session.settings.state_dir)


@asynccontextmanager
async def endpoint_of(session: Session, state: State) -> AsyncIterator[Endpoint]:
    """Open the one socket on the port that was given, or on the remembered one.

    Raises:
        PortInUse: --port names a port that another program holds.
    """
    identity = str(state.keypair.identity)
    session.report(Hello(id=identity, version=__version__))
    with _port(session, state) as bind:
        async with open_endpoint(
            *(state.keypair, bind, session.report),
            dial_tunnel=tunnel_dialler(),
            look_up_srv=look_up_srv,
            dial_turn=_turn_dialler(session),
        ) as endpoint:
            port = endpoint.local.port
            hosts = [each.host for each in find_interfaces()]
            session.report(Bound(port=port, addresses=hosts))
            yield endpoint


def tunnel_dialler() -> DialTunnel | None:
    """Return what reaches a relay by TCP; None without the extra `tcp`."""
    if find_spec("websockets") is None:
        return None

    async def dial(server: Address, name: str, sink: TakeDatagram) -> TunnelEnd:
        from wzp_cli.endpoint.tcp.dialler import dial_tunnel

        return await dial_tunnel(server, name, sink)

    return dial


def _turn_dialler(session: Session) -> DialTurn:
    """Return what reaches a TURN server by TCP."""
    said = session.settings.said.turn_ca
    ca = None if said is None else Path(said).expanduser()

    async def dial(
        server: Address, name: str, tls: bool, sink: TakeDatagram
    ) -> TunnelEnd:
        from wzp_cli.endpoint.tcp.turn_stream import dial_turn, verifying_context

        context = verifying_context(ca) if tls else None
        return await dial_turn(server, name, context, sink)

    return dial


@contextmanager
def _port(session: Session, state: State) -> Iterator[Bind]:
    wanted = session.settings.port
    if wanted is not None:
        yield Bind(wanted, required=True)
        return
    with state.claim_port() as first:
        if not first:
            message = "another wzp has this state directory's port: using any other"
            session.report(Warned(code="second_process", message=message))
        yield Bind(state.port if first else 0)


@asynccontextmanager
async def port_mapped(
    session: Session, endpoint: Endpoint, flag: bool | None
) -> AsyncIterator[PortMapping | None]:
    """Hold a port of the router's for the one socket, unless that is not wanted.

    Args:
        session: The command's.
        endpoint: The one socket.
        flag: --portmap as it was said.
    """
    said = session.settings.said
    wanted = said.portmap if flag is None else flag
    if wanted is False or said.privacy == "always-relay":
        yield None
        return
    async with keep_port_mapping(endpoint.local.port, session.report) as mapping:
        yield mapping


@asynccontextmanager
async def registered(
    session: Session,
    state: State,
    endpoint: Endpoint,
    relays: tuple[HostPort, ...],
    *,
    publishes: bool,
    shows_token: bool = True,
    goes_on: bool = False,
) -> AsyncIterator[Registration]:
    """Register at the first of `relays` that answers, each within --timeout.

    `shows_token`: the user named these relays, so they may see the user's token.
    `goes_on`: where none answers, the first of them is called until it does.

    Raises:
        UsageError: There is none to try.
        ConfigError: The file of the relay's token is not right.
        RelayUnreachable, NameNotFound: None answers; tells of the last.
    """
    if not relays:
        raise UsageError("no relay is known; name one: --relay HOST")
    token_file = session.settings.relay_token_file if shows_token else None
    token = "" if token_file is None else read_token(token_file)
    entering = partial(
        register,
        endpoint,
        pins=state.known_relays,
        report=session.report,
        publishes=publishes,
        token=token,
        refused=_Refused(state, session.report) if publishes else tuple,
    )
    for relay in relays:
        context = entering(relay)
        try:
            async with asyncio.timeout(session.settings.timeout_s):
                registration = await context.__aenter__()
        except (RelayUnreachable, NameNotFound, TimeoutError) as error:
            told = _unreached(relay, error)
            if relay is relays[-1] and not goes_on:
                raise told from error
            session.report(Warned(code=told.code, message=str(told)))
            continue
        break
    else:
        context = entering(relays[0], later=True)
        registration = await context.__aenter__()
    try:
        yield registration
    except BaseException:
        if not await context.__aexit__(*sys.exc_info()):
            raise
    else:
        await context.__aexit__(None, None, None)


class _Refused:
    """Whom the user refuses, read anew each time it is asked.

    Where the file can't be read, those whom it named before stay refused.
    """

    def __init__(self, state: State, report: Report) -> None:
        self._state, self._report = state, report
        self._last: Collection[Identity] = ()

    def __call__(self) -> Collection[Identity]:
        try:
            self._last = self._state.blocked.all().keys()
        except StateUnusable as error:
            self._report(Warned(code=error.code, message=str(error)))
        return self._last


def _unreached(relay: HostPort, error: Exception) -> NetworkError:
    """Return what to tell of a relay that can't be used now."""
    if isinstance(error, NameNotFound):
        return NameNotFound(str(error))
    where = str(error) or str(relay)
    return RelayUnreachable(f"no answer from the relay {where}")


Way = tuple[Identity, Registration] | list[Address]
"""To a peer: whom to ask which relay for, or bare addresses to dial."""


@asynccontextmanager
async def way_to(
    session: Session,
    state: State,
    endpoint: Endpoint,
    peer: Peer,
    relays: Sequence[HostPort] | None,
    held: Registration | None = None,
) -> AsyncIterator[Way]:
    """Find the way to a peer, and register where a relay is on it.

    Args:
        session: The command's.
        state: Ours.
        endpoint: The one socket.
        peer: As the user named them.
        relays: --relay as it was said; else where the peer says it is, else ours.
        held: A registration that there is, for calls through its relay.

    Raises:
        NameNotFound, RelayUnreachable, UsageError: There is no way.
    """
    addresses = list(peer.addresses)
    if peer.direct is not None:
        addresses = await endpoint.resolve(peer.direct)
    keeps_to_relay = (
        peer.identity is not None and state.policy(peer.identity).always_relay
    )
    if peer.identity is None or (addresses and not peer.relay and not keeps_to_relay):
        yield addresses
        return
    known = session.settings.with_servers(relay=relays).relays
    chosen = known if relays or not peer.relay else (peer.relay,)
    if held is not None and held.relay in chosen and held.is_up:
        yield peer.identity, held
        return
    entering = registered(
        session,
        state,
        endpoint,
        chosen,
        publishes=False,
        shows_token=all(relay in known for relay in chosen),
    )
    async with AsyncExitStack() as stack:
        way: Way
        try:
            way = peer.identity, await stack.enter_async_context(entering)
        except (NetworkError, UsageError) as error:
            if keeps_to_relay or not session.settings.said.lan:
                raise
            way = await _met_on_lan(session, state, peer.identity, error)
        yield way


async def _met_on_lan(
    session: Session, state: State, identity: Identity, failure: WzpError
) -> list[Address]:
    """Return where a peer is on the LAN; raises `failure` where it is not."""
    try:
        found = await met(Peer(identity, on_lan=str(identity)), state)
    except WzpError:
        raise failure from None
    message = f"{failure}; they are on this LAN, and called there"
    session.report(Warned(code=failure.code, message=message))
    return list(found.addresses)


def expiry(after_s: float | None) -> int | None:
    """Return when a ticket made now expires, in Unix seconds; None: never."""
    now = time.time()  # noqa: TID251 - it expires by date
    return None if after_s is None else math.ceil(now + after_s)


def ended(outcome: CallOutcome) -> Ended:
    """Return a call's outcome as the last event of the command."""
    quality = outcome.quality
    return structs.replace(
        _path_ended(outcome),
        first_audio_ms=outcome.first_audio_ms,
        frames=outcome.frames,
        rtt_ms=outcome.rtt_ms,
        jitter_ms=round(quality.jitter_ms, 2),
        buffer_ms=round(quality.buffer_ms, 1),
        mos_est=None if quality.mos_est is None else round(quality.mos_est, 2),
        quality=outcome.verdict.quality,
        limited_by=outcome.verdict.limited_by,
        heard_by_peer=outcome.heard_by_peer,
    )


def pinged(outcome: PingOutcome) -> Ended:
    """Return what a ping found as the last event of the command."""
    rtts_ms = outcome.rtts_ms
    return structs.replace(
        _path_ended(outcome),
        rtt_ms=rtts_ms[-1] if rtts_ms else None,
        pings=Pings(
            sent=outcome.sent,
            answered=len(rtts_ms),
            min_ms=min(rtts_ms, default=None),
            median_ms=round(statistics.median(rtts_ms), 1) if rtts_ms else None,
            max_ms=max(rtts_ms, default=None),
        ),
    )


def _path_ended(outcome: CallOutcome | PingOutcome) -> Ended:
    return Ended(
        ok=True,
        exit=0,
        path=outcome.path,
        paths=outcome.paths,
        setup_ms=outcome.setup_ms,
        time_to_direct_ms=outcome.time_to_direct_ms,
        why_not_direct=outcome.why_not_direct,
        remote=outcome.remote,
        peer=outcome.peer,
    )


def connection_kept(outcome: CallOutcome | None) -> None:
    """Check that somebody ended the call.

    Raises:
        ConnectionLost: Nobody did: the peer fell silent.
    """
    if outcome is not None and outcome.end.by == "network":
        raise ConnectionLost(outcome.end.reason)


def required_path(
    outcome: CallOutcome | PingOutcome | Ended | None, require: Literal["direct"] | None
) -> None:
    """Check --require.

    Raises:
        RequirementNotMet: The call, or the ping, never went direct.
    """
    if require == "direct" and outcome and outcome.time_to_direct_ms is None:
        raise RequirementNotMet(f"it stayed on the relay: {_why(outcome)}")


def _why(outcome: CallOutcome | PingOutcome | Ended) -> str:
    return outcome.why_not_direct or "the reason is not known"
