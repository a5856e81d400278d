"""An answered call with a peer who says and sends anything, rightly encrypted.

The listener, its services and its relay are real. The peer dials through the relay as
it should; from the answer on a script decides: messages of every kind with any fields,
datagrams as sound, checks with the right key or not, silence. When the call has ended
the peer calls again.
"""

import asyncio
import functools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fuzz import _packets
from fuzz._script import Script
from tests.support.fakenet import Packet
from tests.support.stage import Stage
from tests.support.world import RELAY_HOST, Doing, Person, World, yes
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.errors import LocalProtocolError, WzpError
from wzp_cli.events import Answered, Hangup
from wzp_cli.protocol.media import rtp
from wzp_cli.protocol.messages import peer
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.conversation import Conversation, greet

__all__ = ["MAX_BYTES", "MOST_KEPT", "SEEDS", "one"]

MAX_BYTES = 300
MOST_KEPT = 40
_SILENCE_S = (0.02, 0.1, 0.5, 3.0)
_PRIVATE = "10.66.0.1"
_VICTIM = "20.99.0.1"
_MOST_CHECKS = 400
"""Packets to an address that never answers, in one input: openers, checks, a search."""

_KINDS = tuple(peer.PeerMessage.__args__)  # type: ignore[attr-defined]
_CALL_ID = "fuzz"
_ADDRESSES = (
    *(f"{_VICTIM}:5000", f"{_PRIVATE}:5000", "127.0.0.1:5000", "192.168.2.2:22", "x"),
    *("[::ffff:127.0.0.1]:5000", "224.0.0.1:5000", "0.0.0.0:5000", "[fe80::1]:5000"),
    *(f"{_VICTIM}:53", "[64:ff9b::a00:1]:5000", "255.255.255.255:5000", "[::1]:9"),
)
_FORBIDDEN = ("127.", "224.", "0.0.0.0", "255.", "::1", "fe80", _PRIVATE)
_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 256, 70_000, 1_000_000, 2**64, 1.5, 1e300, -5.0, None, True, False),
    *("", "a", "counting", _CALL_ID, "x" * 64, "x" * 300, "random", "sequential"),
    *([], [1, 65535], [5000] * 16, ["counting"], {}, "endpoint-independent"),
    *({"mapping": "address-and-port-dependent", "allocation": "sequential"},),
    *({"mapping": "endpoint-independent", "filtering": "none", "mapped": True},),
)


@dataclass
class _Cast:
    """Who is there, and where the listener has sent to."""

    world: World
    bob: Person
    mallory: Person
    sent: dict[str, int] = field(default_factory=dict)
    conversation: Conversation | None = None
    listening: Doing[CallOutcome | None] | None = None
    key: tuple[str, str] = ("abcd", "x" * 24)


async def _build(world: World) -> _Cast:
    await world.relay()
    bob, mallory = await world.person("bob"), await world.person("mallory")
    cast = _Cast(world, bob, mallory)

    def see(packet: Packet) -> None:
        if packet.segment == "public" and packet.source.host == bob.public_host:
            cast.sent[packet.to.host] = cast.sent.get(packet.to.host, 0) + 1

    world.net.on_packet(see)
    cast.listening = bob.listen(yes)
    return cast


@functools.cache
def _stage() -> Stage[_Cast]:
    """Return the one stage, built on first use."""
    return Stage(_build)


async def _call(cast: _Cast) -> None:
    """Call as one should, up to the answer."""
    mallory = cast.mallory
    assert mallory.registration is not None
    with suppress(WzpError, TimeoutError):
        async with asyncio.timeout(3):
            (route,) = await mallory.registration.connect(cast.bob.identity)
            link = await mallory.endpoint.dial_peer(route, cast.bob.identity)
            conversation = await greet(link, "m")
            conversation.say(peer.Offer(call=_CALL_ID, media=["counting"]))
            while not isinstance(await conversation.heard(), peer.Answer):
                pass
            heard = await conversation.heard()
            if isinstance(heard, peer.Candidates):
                cast.key = heard.ufrag, heard.pwd
            cast.conversation = conversation


# --- what a script may do ----------------------------------------------------------


def _says(cast: _Cast, script: Script) -> None:
    """A message of some kind, each field of which has a value, right or not."""
    kind = script.pick(_KINDS)
    fields: dict[str, Any] = {"type": kind.__struct_config__.tag}
    fields |= {name: value for name, value in _RIGHT.items() if hasattr(kind, name)}
    for _ in range(script.byte() % 4):
        fields[script.pick(kind.__struct_fields__ or ("x",))] = script.pick(_VALUES)
    if kind is peer.Candidates and script.byte() % 4:
        fields["list"] = [
            {
                "type": script.pick(("host", "srflx", "mapped", "prflx")),
                "address": script.pick(_ADDRESSES),
            }
            for _ in range(script.byte() % 9)
        ]
    if kind is peer.Relayed:
        fields["address"] = script.pick(_ADDRESSES)
    body = _packets.edited(script, msgspec.json.encode(fields))
    _send(cast, len(body).to_bytes(4, "big") + body)


_RIGHT: dict[str, Any] = {
    "call": _CALL_ID,
    "reason": "r",
    "media": "counting",
    "version": "1",
    "ufrag": "efgh",
    "pwd": "y" * 24,
    "list": [],
    "sockets": 16,
    "samples": [5000, 5001],
    "step": 1,
    "loss_pct": 1.0,
    "jitter_ms": 1.0,
    "concealed_ms": 0.0,
    "buffer_ms": 20.0,
    "expected": 50,
    "lost": 5,
    "gaps": 2,
    "on": True,
    "direct": True,
}


def _raw(cast: _Cast, script: Script) -> None:
    _send(cast, script.chunk())


def _send(cast: _Cast, data: bytes) -> None:
    if cast.conversation is not None:
        with suppress(WzpError):
            cast.conversation.link.send(data)
        _stage().let_pass(0.03)


def _sounds(cast: _Cast, script: Script) -> None:
    """Some packets of sound, right ones or raw bytes."""
    for _ in range(script.byte() % 8):
        kind = script.byte()
        payload = script.chunk() or b"x" * 60
        place = script.number(2), script.number(4)
        packet = rtp.MediaPacket(*place, 111 + kind % 2, payload)
        if cast.conversation is not None:
            datagram = rtp.encode(packet) if kind & 2 else payload
            with suppress(WzpError, LocalProtocolError):
                cast.conversation.link.send_datagram(datagram)


def _checks(cast: _Cast, script: Script) -> None:
    """A keyed check through the channel, or from mallory's own address."""
    username = f"{cast.key[0]}:efgh"
    check = stun.encode_check(bytes(12), username, cast.key[1], nominates=True)
    check = _packets.edited(script, check)
    conversation = cast.conversation
    if conversation is not None and not conversation.link.ended:
        cast.mallory.endpoint.carry(check, conversation.link.routes[0])


def _silence(_: _Cast, script: Script) -> None:
    _stage().let_pass(script.pick(_SILENCE_S))


_DOINGS: tuple[Callable[[_Cast, Script], None], ...] = (
    *(_says, _says, _says, _sounds, _checks, _silence, _raw),
)

SEEDS = (
    *(bytes([0, n, 0, 0, 5, 2]) for n in range(len(_KINDS))),
    *(bytes([0, 6, 0, 1, 2, 1, n, 0, n + 1, 0, 5, 3]) for n in range(12)),
    bytes([0, 9, 0, 0, 5, 3, 0, 6, 1, 5, 28, 1, 0, 0, 0, 5, 3]),
    bytes([3, 3, 2, 0]) + bytes(6) + bytes([2, 0]) + bytes(6) + bytes([3, 0, 5, 2]),
    bytes([4, 0, 5, 1, 6, 4, 0, 0, 0, 0]),
)


# --- one input ---------------------------------------------------------------------


def one(data: bytes) -> None:
    """Play one script in one call; the listener goes on, and spares third parties."""
    stage, script = _stage(), Script(data)
    cast = stage.cast
    if cast.conversation is None or cast.conversation.link.ended:
        cast.conversation = None
        stage.pass_time(2)
        stage.run(_call(cast))
    cast.sent.clear()
    stage.enter()
    try:
        while script.goes_on:
            script.pick(_DOINGS)(cast, script)
    finally:
        stage.leave()
    stage.pass_time(0.05)
    _check(cast)


def _check(cast: _Cast) -> None:
    assert cast.listening is not None
    assert not cast.listening.done, "the listener has ended"
    friends = (RELAY_HOST, cast.mallory.public_host)
    for host, packets in cast.sent.items():
        assert host in friends or not host.startswith(_FORBIDDEN), host
        assert host in friends or packets <= _MOST_CHECKS, f"{packets} to {host}"
    for event in (*cast.bob.all(Hangup), *cast.bob.all(Answered)):
        for text in msgspec.structs.asdict(event).values():
            assert not isinstance(text, str) or text.isprintable(), event
    cast.bob.events.clear()
    cast.bob.sounds.clear()
    cast.bob.outcomes.clear()
