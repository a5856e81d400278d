"""The datagram entry of an endpoint, in the middle of its work.

It has a link with a friend, a link with somebody hostile, checks under way, a channel
at a relay that lets one peer in, and an allocation at a TURN server. Each input is a
script of datagrams: raw from anybody, real ones changed, and ones that only who holds
the right key can make (QUIC packets of the hostile peer's, keyed checks, Initials).
"""

import asyncio
import functools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fuzz import _packets
from fuzz._hostile import Hostile, Tamper, dialled, frames, scripted
from fuzz._play import play
from fuzz._script import Script
from tests.support.memory_turn import TURN_HOST, MemoryTurn
from tests.support.rogue import Rogue
from tests.support.stage import Stage, Traffic
from tests.support.world import World
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import MAX_HALF_OPEN_CHANNELS, MAX_HALF_OPEN_STRANGERS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.tls import PEER_ALPN
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.endpoint.stun.checks import CheckKey, CheckSession
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute
from wzp_cli.protocol.turn import encode_channel_data

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 600
_HOST, _FRIEND, _HOSTILE, _RELAY = "20.2.0.1", "20.2.0.2", "20.2.0.3", "20.2.0.4"
_AT = Address(_HOST, 5000)
_STRANGER = Address("20.66.0.1", 6000)
_CHANNEL = ChannelRoute(Address(_RELAY, 4433), b"sendsend", b"receives")
_TURN_PEER = Address(TURN_HOST, 50000)
_KEY = CheckKey("localufrag", "localpassword0123456789")
_THEIRS = CheckKey("theirufrag", "theirpassword0123456789")
_ASKED = bytes(range(12))
_SILENCE_S = (0.02, 0.3, 2.0, 6.0)


@dataclass
class _Cast:
    """Who is there. `kept`: real datagrams, to be changed and brought again."""

    world: World
    endpoint: Endpoint
    friend: Link
    friends: Link
    session: CheckSession
    traffic: Traffic
    hello: _packets.Hello
    kept: list[bytes]
    hostile: Hostile
    heard: list[bytes] = field(default_factory=list)
    accepted: Link | None = None


async def _build(world: World) -> _Cast:
    endpoint = await world.open_endpoint(world.net.host(_HOST), _AT.port)
    friend = await world.open_endpoint(world.net.host(_FRIEND), 5000)
    hostile = Hostile(world.net.host(_HOSTILE), _HOSTILE, _AT, PEER_ALPN)
    traffic = Traffic(world, endpoint, _HOST)
    for known in (Address(_FRIEND, 5000), _CHANNEL.relay, Address(TURN_HOST, 3478)):
        traffic.know(known)
    kept: list[bytes] = []
    world.net.on_packet(
        lambda p: _packets.keep(kept, p.datagram) if p.to == _AT else None
    )
    endpoint.accept_peers(Strangers.PROVEN)
    theirs = await friend.dial_peer(DirectRoute(_AT), endpoint.identity)
    ours = await endpoint.accept()
    turn = MemoryTurn(world.net.host(TURN_HOST))
    allocation = await world.enter(endpoint.turn.open(turn.at, turn.grant()))
    await allocation.bind(_TURN_PEER)
    session = endpoint.open_checks()
    endpoint.close_checks(session)
    session.local, session.remote = _KEY, _THEIRS
    endpoint._checks[_KEY.ufrag] = session
    theirs.send(b"\0\0\0\2{}")
    theirs.send_datagram(b"sound")
    await asyncio.sleep(0.2)
    cast = _Cast(
        *(world, endpoint, ours, theirs, session, traffic),
        _packets.client_hello(PEER_ALPN),
        kept.copy(),
        hostile,
    )
    ours.receive_datagrams(cast.heard.append)
    return cast


@functools.cache
def _stage() -> Stage[_Cast]:
    """Return the one stage, built on first use."""
    return Stage(_build)


# --- what a script may do ----------------------------------------------------------


def _sources(cast: _Cast) -> tuple[Address, ...]:
    friend, turn = Address(_FRIEND, 5000), Address(TURN_HOST, 3478)
    return _STRANGER, friend, cast.hostile.at, _CHANNEL.relay, turn


def _bring(cast: _Cast, datagram: bytes, source: Address) -> None:
    cast.traffic.came[source] += len(datagram)
    cast.endpoint._on_datagram(datagram, source, _HOST)


def _raw(cast: _Cast, script: Script) -> None:
    source = script.pick(_sources(cast))
    _bring(cast, script.chunk(), source)


def _changed(cast: _Cast, script: Script) -> None:
    source = script.pick(_sources(cast))
    _bring(cast, _packets.edited(script, script.pick(cast.kept)), source)


def _authentic(cast: _Cast, script: Script) -> None:
    """Let the hostile peer say something in a packet that is rightly encrypted."""
    if (rogue := _connected(cast, script)) is not None:
        payload = script.chunk() if script.byte() % 2 else frames(script)
        with suppress(ValueError):  # too long for a packet
            _bring(cast, rogue.packet(payload), cast.hostile.at)


def _check(cast: _Cast, script: Script) -> None:
    """A keyed check or answer, from anywhere, with a few attributes too many."""
    source = script.pick(_sources(cast))
    if script.byte() % 2:
        username = f"{_KEY.ufrag}:{_THEIRS.ufrag}"
        check = stun.encode_check(_ASKED, username, _KEY.password, nominates=True)
    else:
        check = stun.encode_response(_ASKED, _AT, _THEIRS.password)
        cast.session._asked[_ASKED] = (DirectRoute(source), 0.0)
    _bring(cast, _packets.edited(script, check), source)


def _frame(cast: _Cast, script: Script) -> None:
    channel = script.pick((_CHANNEL.receive_id, _CHANNEL.send_id, bytes(8)))
    source = script.pick(_sources(cast))
    _bring(cast, encode_frame(channel, script.chunk()), source)


def _channel_data(cast: _Cast, script: Script) -> None:
    number = 0x4000 + script.byte() % 4
    data = encode_channel_data(number, script.chunk())
    _bring(cast, _packets.edited(script, data), Address(TURN_HOST, 3478))


def _dial(cast: _Cast, script: Script) -> None:
    """An Initial with right keys: through the channel, which lets one in, or not."""
    datagram = dialled(script, cast.hello)
    if script.byte() % 2:
        cast.endpoint.open_channel(_CHANNEL, admits=True)
        _bring(cast, encode_frame(_CHANNEL.receive_id, datagram), _CHANNEL.relay)
    else:
        _bring(cast, datagram, _STRANGER)


def _handshake(cast: _Cast, script: Script) -> None:
    """A whole handshake in which the hostile peer changes its TLS messages."""
    tamper = scripted(script)
    if cast.hostile.may_dial(script):
        _connect(cast, tamper)


def _silence(_: _Cast, script: Script) -> None:
    _stage().let_pass(script.silence_s(_SILENCE_S))


_DOINGS: tuple[Callable[[_Cast, Script], None], ...] = (
    _raw,
    _changed,
    _authentic,
    _check,
    _frame,
    _channel_data,
    _dial,
    _handshake,
    _silence,
)

SEEDS = (
    *(bytes([2, 0, 0, n, 0]) for n in range(len(_packets.FRAMES))),
    *(bytes([1, n % 5, n, 0]) for n in range(24)),
    *(bytes([3, n % 5, n % 2, 0]) for n in range(10)),
    bytes([6]) + bytes(16) + bytes([1, 0, 0, 1]),
    bytes([6]) + bytes(16) + bytes([1, 1, 0, 40, 0, 1, 65, 0, 1]),
    bytes([6]) + bytes(16) + bytes([1, 0, 0, 0]),
    bytes([7, 0, 5, 1, 0, 200, 0, 0]),
    bytes([5, 0, 3]) + b"\xc0ab" + bytes([0, 8, 3]),
    bytes([4, 0, 3, 5]) + b"\x40abcd",
    bytes([2, 1, 5]) + b"\x30abc\x1c" + bytes([8, 2]),
)


# --- one input ---------------------------------------------------------------------


def one(data: bytes) -> None:
    """Play one script; the friend's link is as it was, and nobody else is reached."""
    play(_stage(), data, _DOINGS, _check_limits)
    cast = _stage().cast
    assert not cast.friend.ended, cast.friend.end_reason
    assert not cast.heard, "somebody spoke in the friend's place"


def _check_limits(cast: _Cast) -> None:
    most = MAX_HALF_OPEN_CHANNELS + MAX_HALF_OPEN_STRANGERS
    assert cast.endpoint.half_open <= most
    assert len(cast.endpoint.links) <= most + 3
    assert len(cast.session._asked) <= 256


def _connected(cast: _Cast, script: Script) -> Rogue | None:
    """Return the hostile peer, dialled anew if its link ended; None: it has none."""
    if cast.hostile.linked(cast.endpoint) is None and cast.hostile.may_dial(script):
        _connect(cast, None)
    return cast.hostile.linked(cast.endpoint)


def _connect(cast: _Cast, tamper: Tamper | None) -> None:
    cast.hostile.connect(_stage(), tamper)
    cast.traffic.know(cast.hostile.at)
    accepted = cast.endpoint._accepting._accepted
    while not accepted.empty():  # who accepts decides how many to keep: here one
        if cast.accepted is not None:
            cast.accepted.abort()
        cast.accepted = accepted.get_nowait()
