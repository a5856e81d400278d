"""The datagram entry of a relay at work, with people who talk through it.

Two people have a channel; a hostile client is registered, too, and says what the fuzzer
likes: packets that are rightly encrypted, messages of every kind, handshakes that are
none. Beside, anybody sends anything to the relay's ports, from any address.
"""

import asyncio
import functools
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fuzz import _packets
from fuzz._hostile import Hostile, Tamper, dialled, frames, scripted
from fuzz._play import play
from fuzz._script import Script
from tests.support.rogue import Rogue
from tests.support.stage import Stage, Traffic
from tests.support.world import RELAY, RELAY_HOST, Person, RelayAtWork, World
from wzp_cli.address import Address
from wzp_cli.defaults.relay import RELAY_MAX_HALF_OPEN
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.tls import RELAY_ALPN
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.traversal.route import ChannelRoute

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 500
_HOSTILE = "20.66.0.2"
_STRANGER = Address("20.66.0.1", 6000)
_AT = Address(RELAY_HOST, RELAY.port)
_MOST_PROBES = 30
_SILENCE_S = (0.02, 0.3, 2.0, 6.0)


@dataclass
class _Cast:
    """Who is there. `kept`: real datagrams, to be changed and brought again."""

    world: World
    relay: RelayAtWork
    alice: Person
    bob: Person
    channel: ChannelRoute
    back: ChannelRoute
    traffic: Traffic
    hello: _packets.Hello
    kept: list[bytes]
    heard: list[bytes]
    hostile: Hostile
    stream_at: int = 0

    @property
    def people(self) -> tuple[Address, ...]:
        """Where the relay sees its friendly clients."""
        return tuple(
            Address(person.public_host, person.endpoint.local.port)
            for person in (self.alice, self.bob)
        )


async def _build(world: World) -> _Cast:
    relay = await world.relay()
    hostile = Hostile(world.net.host(_HOSTILE), _HOSTILE, _AT, RELAY_ALPN)
    kept: list[bytes] = []
    world.net.on_packet(
        lambda p: _packets.keep(kept, p.datagram) if p.to == _AT else None
    )
    alice = await world.person("alice", None, port=5001)
    bob = await world.person("bob", None, port=5002)
    bob.endpoint.accept_peers(Strangers.REFUSED)
    assert alice.registration is not None
    (channel,) = await alice.registration.connect(bob.identity)
    await asyncio.sleep(0.1)
    back = ChannelRoute(_AT, channel.receive_id, channel.send_id)
    heard: list[bytes] = []
    bob.endpoint._on_bare = (  # type: ignore[method-assign]
        lambda datagram, route, own: _hear(bob, heard, datagram, route, own)
    )
    cast = _Cast(
        *(world, relay, alice, bob, channel, back),
        Traffic(world, relay.endpoint, RELAY_HOST),
        _packets.client_hello(RELAY_ALPN),
        kept.copy(),
        heard,
        hostile,
    )
    for address in cast.people:
        cast.traffic.know(address)
    cast.traffic.most_beside = _MOST_PROBES * len(stun.encode_indication())
    return cast


def _hear(
    bob: Person, heard: list[bytes], datagram: bytes, route: Any, own: str
) -> None:
    if isinstance(route, ChannelRoute):
        heard.append(datagram)
    else:
        type(bob.endpoint)._on_bare(bob.endpoint, datagram, route, own)


@functools.cache
def _stage() -> Stage[_Cast]:
    """Return the one stage, built on first use."""
    return Stage(_build)


# --- what a script may do ----------------------------------------------------------


def _sources(cast: _Cast) -> tuple[Address, ...]:
    return (_STRANGER, cast.hostile.at, *cast.people)


def _bring(cast: _Cast, datagram: bytes, source: Address) -> None:
    cast.traffic.came[source] += len(datagram)
    cast.relay.endpoint._on_datagram(datagram, source, RELAY_HOST)


def _raw(cast: _Cast, script: Script) -> None:
    source = script.pick(_sources(cast))
    _bring(cast, script.chunk(), source)


def _changed(cast: _Cast, script: Script) -> None:
    source = script.pick(_sources(cast))
    _bring(cast, _packets.edited(script, script.pick(cast.kept)), source)


def _frame(cast: _Cast, script: Script) -> None:
    """A frame with a right id or not, from the right address or not."""
    ids = (cast.channel.send_id, cast.channel.receive_id, bytes(8), script.take(8))
    source = script.pick((_STRANGER, cast.hostile.at))
    _bring(cast, encode_frame(script.pick(ids), script.chunk()), source)


def _binding(cast: _Cast, script: Script) -> None:
    """STUN, at the relay's own port or at an extra one."""
    request = stun.encode_request(bytes(12), size_bytes=script.byte())
    request = _packets.edited(script, request)
    source = script.pick(_sources(cast))
    if script.byte() % 2:
        _bring(cast, request, source)
    else:
        cast.traffic.came[source] += len(request)
        cast.relay.server.reflectors[0]._on_datagram(request, source, RELAY_HOST)


def _authentic(cast: _Cast, script: Script) -> None:
    """Let the hostile client say something in a packet that is rightly encrypted."""
    if (rogue := _connected(cast, script)) is not None:
        payload = script.chunk() if script.byte() % 2 else frames(script)
        with suppress(ValueError):  # too long for a packet
            _bring(cast, rogue.packet(payload), cast.hostile.at)


def _says(cast: _Cast, script: Script) -> None:
    """Let the hostile client say some messages, right ones but for their fields."""
    rogue = _connected(cast, script)
    bodies = [_message(cast, script) for _ in range(1 + script.byte() % 3)]
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    if rogue is None or len(data) > 1000:
        return
    head = b"\x0e\0" + (0x80000000 | cast.stream_at).to_bytes(4, "big")
    head += (0x4000 | len(data)).to_bytes(2, "big")
    cast.stream_at += len(data)
    _bring(cast, rogue.packet(head + data), cast.hostile.at)
    _stage().let_pass(0.001)


def _message(cast: _Cast, script: Script) -> bytes:
    """Return one message as JSON, of any type a client may know."""
    channel = script.pick(
        (cast.channel.send_id.hex(), cast.channel.receive_id.hex(), "00" * 8, "x", 5)
    )
    target = script.pick(
        (str(cast.alice.identity), str(cast.bob.identity), "wzp1", "", None)
    )
    number = script.pick((4434, 4433, 0, 1, 65535, 70_000, -1, 1.5, "4434"))
    text = script.pick(("", "00" * 12, "a.b.c", "\u202e", "x" * 300, None, ["x"] * 40))
    fields: dict[str, Any] = {
        "type": script.pick(_TYPES),
        "version": "0.1",
        "token": text,
        "join": text,
        "request": text,
        "target": target,
        "channel": channel,
        "refuses": [target] * (script.byte() % 4),
        "port": number,
        "to": script.pick((0, 5000, 22, 65535, -1)),
        "id": text,
        "name": text,
        "within_s": number,
        "addresses": [text],
        "ticket": text,
    }
    for _ in range(script.byte() % 6):
        fields.pop(script.pick(tuple(fields)), None)
    return _packets.edited(script, json.dumps(fields).encode())


_TYPES = (
    *("publish", "unpublish", "connect", "closed", "reveal", "probe_me", "turn_wanted"),
    *("enter", "welcome", "connected", "incoming", "summoned", "draining", "observed"),
)


def _dial(cast: _Cast, script: Script) -> None:
    """An Initial with right keys, from somewhere."""
    _bring(cast, dialled(script, cast.hello), script.pick(_sources(cast)))


def _handshake(cast: _Cast, script: Script) -> None:
    """A whole handshake in which the hostile client changes its TLS messages."""
    tamper = scripted(script)
    if cast.hostile.may_dial(script):
        _connect(cast, tamper)


def _silence(cast: _Cast, script: Script) -> None:
    """Let time pass; the two go on talking, as a channel ends after 30 s without."""
    _stage().let_pass(script.silence_s(_SILENCE_S))
    _stage().leave()
    _still_talks(_stage(), cast)
    cast.heard.clear()
    _stage().enter()


_DOINGS: tuple[Callable[[_Cast, Script], None], ...] = (
    _raw,
    _changed,
    _frame,
    _binding,
    _authentic,
    _says,
    _dial,
    _handshake,
    _silence,
)

SEEDS = (
    *(bytes([4, 0, 0, n, 0]) for n in range(len(_packets.FRAMES))),
    *(bytes([1, n % 4, n, 0]) for n in range(12)),
    *(bytes([5, 0, n % 2, n % 2, n % 3, n % 2, n, 0, 0, 0, 0]) for n in range(14)),
    bytes([2]) + bytes(8) + bytes([1, 0, 5]) + b"\x40abcd",
    bytes([3, 60, 0, 0, 0, 3, 12, 0, 1, 1]),
    bytes([6]) + bytes(16) + bytes([1, 0, 0, 1, 8, 3]),
    bytes([7, 0, 5, 1, 0, 200, 0, 0]),
    bytes([0, 0, 3]) + b"\x08ab" + bytes([8, 2]),
)


# --- one input ---------------------------------------------------------------------


def one(data: bytes) -> None:
    """Play one script; those who talk go on talking, and nobody else is reached."""
    play(_stage(), data, _DOINGS, _check_limits)
    cast = _stage().cast
    left = cast.relay.left
    assert left["presence"] <= left["links"], left
    _still_talks(_stage(), cast)
    for watcher in (cast.relay, cast.alice, cast.bob):
        watcher.events.clear()


def _still_talks(stage: Stage[_Cast], cast: _Cast) -> None:
    """What one says through the channel comes to the other, and nothing else does."""
    assert not cast.heard, "somebody spoke in the friend's place"
    said = b"\x40" + random.randbytes(20)
    stage.enter()
    cast.alice.endpoint.carry(said, cast.channel)
    stage.leave()
    stage.pass_time(0.05)
    assert cast.heard == [said], "the channel is gone"


def _check_limits(cast: _Cast) -> None:
    endpoint = cast.relay.endpoint
    assert endpoint.half_open <= RELAY_MAX_HALF_OPEN
    assert len(endpoint.links) <= endpoint.half_open + 40
    left = cast.relay.left
    assert left["channels"] <= 12
    assert left["charged"] <= 24


def _connected(cast: _Cast, script: Script) -> Rogue | None:
    """Return the hostile client, dialled anew if its link ended; None: it has none."""
    linked = cast.hostile.linked(cast.relay.endpoint)
    if linked is None and cast.hostile.may_dial(script):
        _connect(cast, None)
        if cast.hostile.linked(cast.relay.endpoint) is not None:
            body = b'{"type":"enter","version":"0.1"}'
            said = len(body).to_bytes(4, "big") + body
            cast.hostile.say(_stage(), said)
            cast.stream_at = len(said)
    return cast.hostile.linked(cast.relay.endpoint)


def _connect(cast: _Cast, tamper: Tamper | None) -> None:
    cast.hostile.connect(_stage(), tamper)
    cast.traffic.know(cast.hostile.at)
