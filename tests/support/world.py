"""A world to play scenarios in: a relay, and people behind NATs, in virtual time.

Endpoints, aioquic, services and the relay are the real ones; the network is in memory
(fakenet.py), and the sound counts its frames.

    @scenario
    async def test_two_friends(world: World) -> None:
        alice, bob = await world.people("alice", "bob")
        bob.listen()
        outcome = await alice.call(bob, duration_s=3)
        assert outcome.path == "direct"
"""

import asyncio
import inspect
import ipaddress
import itertools
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tests.support.fakenet import MASQUERADE, FakeNet, Host, Nat, NatKind, Packet
from tests.support.fleet_bus import Hub
from tests.support.memory_tunnels import dialler_to
from tests.support.virtual_time import VirtualLoop, run
from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES, MEDIA_FRAME_SAMPLES
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.stun.reflector import Reflector
from wzp_cli.endpoint.stun.turn import DialTurn
from wzp_cli.endpoint.tunnels import DialTunnel
from wzp_cli.errors import WzpError
from wzp_cli.events import Event, Incoming
from wzp_cli.ports import Codec
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.policy import STRANGER, Policy, PolicyOf
from wzp_cli.relay.access import AccessRules
from wzp_cli.relay.fleet import Fleet
from wzp_cli.relay.server import Relay, RelaySettings
from wzp_cli.relay.turn import TurnService
from wzp_cli.services.calls.call import CallSettings, call_address, call_identity
from wzp_cli.services.calls.listen import AskHuman, ListenSettings, listen
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.relays.registration import Registration, register

__all__ = [
    "CONCEALED",
    "RELAY",
    "RELAY_HOST",
    "CountingCodec",
    "CountingSound",
    "Doing",
    "Person",
    "Pins",
    "RelayAtWork",
    "World",
    "knows",
    "never",
    "no",
    "scenario",
    "yes",
]

RELAY_HOST = "20.0.0.1"
RELAY = HostPort("relay.example", 4433)
CONCEALED = b"\1" * MEDIA_FRAME_BYTES
_SILENCE = bytes(MEDIA_FRAME_BYTES)
_FRAME_S = 0.020
_PACKET_BYTES = 60

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Event)
Where = Callable[[Any], bool]


def knows(*identities: Identity, **said: Any) -> PolicyOf:
    """Return a policy by which these are contacts, of whom more may be said."""
    friend = Policy("a friend", **said)
    return lambda identity: friend if identity in identities else STRANGER


async def yes(_: Incoming) -> bool:
    """Answer at once."""
    return True


async def no(_: Incoming) -> bool:
    """Decline at once."""
    return False


async def never(_: Incoming) -> bool:
    """Let it ring."""
    await asyncio.Event().wait()
    return False


# --- Sound ----------------------------------------------------------------------


class CountingCodec:
    """Packets as small as Opus's that carry the frame's number."""

    payload_type = 111
    bitrates_bps: tuple[int, ...] = (24_000,)
    bitrate_bps = 24_000

    def __init__(self, name: str = "counting") -> None:
        self.name = name

    def encode(self, pcm: bytes) -> bytes:
        return pcm[:2].ljust(_PACKET_BYTES, b"\0")

    def decode(self, packet: bytes) -> bytes:
        return packet[:2] * MEDIA_FRAME_SAMPLES

    def conceal(self) -> bytes:
        return CONCEALED


class _Mouth:
    """Says frames 1, 2, 3, ... at the beat."""

    def __init__(self, frames: int | None) -> None:
        self.said = 0
        self._frames = frames
        self._next_at = asyncio.get_running_loop().time()

    def pause(self, seconds: float) -> None:
        """Fall behind by so long, for good."""
        self._next_at += seconds

    async def read(self) -> bytes | None:
        await asyncio.sleep(self._next_at - asyncio.get_running_loop().time())
        self._next_at += _FRAME_S
        if self._frames is not None and self.said >= self._frames:
            return None
        self.said += 1
        return (self.said % 65536).to_bytes(2, "little") * MEDIA_FRAME_SAMPLES


class _Ear:
    """Wants a frame at each beat and keeps when it heard which."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._next_at = self._loop.time() + 0.013

    async def wanted(self) -> None:
        await asyncio.sleep(self._next_at - self._loop.time())
        self._next_at += _FRAME_S

    def write(self, pcm: bytes) -> None:
        self.heard.append((self._loop.time(), pcm))


class CountingSound:
    """A call's open ends. `failed` may be set by the test."""

    def __init__(self, frames: int | None = None) -> None:
        self.source, self.sink = _Mouth(frames), _Ear()
        self.failed: WzpError | None = None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the frames heard, without silence and concealment."""
        plain = [p for _, p in self.sink.heard if p not in (_SILENCE, CONCEALED)]
        return [int.from_bytes(pcm[:2], "little") for pcm in plain]

    @property
    def gaps_s(self) -> list[float]:
        """The times between two true frames heard, in order."""
        at = [t for t, p in self.sink.heard if p not in (_SILENCE, CONCEALED)]
        return [b - a for a, b in itertools.pairwise(at)]

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two true frames heard."""
        return max(self.gaps_s, default=0.0)


# --- Who is there ---------------------------------------------------------------


class Doing(Generic[T]):
    """Something that goes on beside the scenario; its error is kept for who asks."""

    def __init__(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, T]) -> None:
        self._error: WzpError | None = None
        self._task = group.create_task(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await work
        except WzpError as error:
            self._error = error
            return None

    @property
    def done(self) -> bool:
        return self._task.done()

    async def result(self) -> T:
        """Return what came of it, or raise its error."""
        result = await asyncio.shield(self._task)
        if self._error is not None:
            raise self._error
        return result  # type: ignore[return-value]

    async def stop(self) -> None:
        """Cancel it (Ctrl-C), and wait until it is over."""
        self._task.cancel()
        await asyncio.wait([self._task])


class Pins:
    """Keys of relays, in memory."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.tcp_ports: dict[str, int] = {}

    def pinned(self, relay: str) -> bytes | None:
        return self.keys.get(relay)

    def pin(self, relay: str, key: bytes) -> None:
        self.keys[relay] = key

    def tcp_port(self, relay: str) -> int | None:
        return self.tcp_ports.get(relay)

    def note_tcp_port(self, relay: str, port: int) -> None:
        self.tcp_ports[relay] = port


@dataclass(frozen=True)
class _Interface:
    host: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network


class Watcher:
    """Keeps events, and waits for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._came = asyncio.Event()

    def report(self, event: Event) -> None:
        self.events.append(event)
        self._came.set()

    def all(self, kind: type[E], where: Where = lambda event: True) -> list[E]:
        """Return the events of a kind so far."""
        return [e for e in self.events if isinstance(e, kind) and where(e)]

    async def told(
        self, kind: type[E], where: Where = lambda event: True, *, times: int = 1
    ) -> E:
        """Return the first such event (the n-th: `times`), now or when it comes."""
        while len(found := self.all(kind, where)) < times:
            self._came.clear()
            await self._came.wait()
        return found[times - 1]


@dataclass
class RelayAtWork(Watcher):
    """A relay, and its inside."""

    endpoint: Endpoint
    host: Host
    server: Relay
    doing: Doing[None]

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def identity(self) -> Identity:
        return self.endpoint.identity

    @property
    def left(self) -> dict[str, int]:
        """What it remembers of clients; all zero when they are gone."""
        return {
            "links": len(self.endpoint.links),
            "streams": len(self.server._streams),
            "presence": len(self.server.presence),
            "channels": len(self.server.channels),
            "charged": sum(self.server.limits._channels.values()),
            "reserved": self.server.channels.reserved,
        }

    def vanish(self) -> None:
        """Pull the plug: nothing comes, nothing goes, nobody is told."""
        self.host.wires.clear()


@dataclass
class Person(Watcher):
    """Somebody with one socket."""

    world: "World"
    name: str
    keypair: Keypair
    host: Host
    nat: Nat | None
    endpoint: Endpoint
    pins: Pins = field(default_factory=Pins)
    codec: Callable[[], Codec] = CountingCodec
    other_codecs: dict[str, Callable[[], Codec]] = field(default_factory=dict)
    frames: int | None = None
    sounds: list[CountingSound] = field(default_factory=list)
    outcomes: list[CallOutcome] = field(default_factory=list)
    registration: Registration | None = None

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def identity(self) -> Identity:
        return self.keypair.identity

    @property
    def public_host(self) -> str:
        return self.nat.external if self.nat else next(iter(self.host.addresses))

    @property
    def sound(self) -> CountingSound:
        """The sound of the last call."""
        return self.sounds[-1]

    def interfaces(self) -> Sequence[_Interface]:
        return [
            _Interface(host, ipaddress.ip_network(f"{host}/24", strict=False))
            for host in self.host.addresses
        ]

    @asynccontextmanager
    async def open_sound(self) -> AsyncIterator[CountingSound]:
        self.sounds.append(CountingSound(self.frames))
        yield self.sounds[-1]

    def open_codec(self, name: str | None) -> tuple[Codec, str | None]:
        return self.other_codecs.get(name or "", self.codec)(), None

    async def register(
        self,
        server: HostPort = RELAY,
        *,
        publishes: bool = True,
        token: str = "",
        refused: Callable[[], Collection[Identity]] = tuple,
    ) -> Registration:
        """Register, until the end of the world."""
        self.registration = await self.world.enter(
            register(
                self.endpoint,
                server,
                self.pins,
                self.report,
                publishes=publishes,
                token=token,
                refused=refused,
            )
        )
        return self.registration

    async def call(self, target: "Person | Identity", **settings: Any) -> CallOutcome:
        assert self.registration is not None
        return await call_identity(
            self.endpoint,
            self.registration,
            target.identity if isinstance(target, Person) else target,
            CallSettings(self.name, on_outcome=self.outcomes.append, **settings),
            self.open_sound,
            self.open_codec,
            self.interfaces,
            self.report,
        )

    async def dial(
        self, *addresses: Address, target: "Person | None" = None, **settings: Any
    ) -> CallOutcome:
        """Call an address, without a relay."""
        return await call_address(
            self.endpoint,
            addresses,
            target.identity if target else None,
            CallSettings(self.name, on_outcome=self.outcomes.append, **settings),
            self.open_sound,
            self.open_codec,
            self.interfaces,
            self.report,
        )

    def calls(self, target: "Person | Identity", **settings: Any) -> Doing[CallOutcome]:
        """Call beside the scenario."""
        return self.world.start(self.call(target, **settings))

    def listen(self, ask: AskHuman = yes, **settings: Any) -> Doing[CallOutcome | None]:
        """Take calls beside the scenario."""
        return self.world.start(
            listen(
                self.endpoint,
                self.registration,
                ListenSettings(self.name, on_outcome=self.outcomes.append, **settings),
                ask,
                self.open_sound,
                self.open_codec,
                self.interfaces,
                self.report,
            )
        )

    def vanish(self) -> None:
        """Pull the plug: nothing comes, nothing goes, nobody is told."""
        self.host.wires.clear()


class World:
    """The network, a relay and people. Made by `scenario`."""

    def __init__(self, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        self.net = FakeNet(delay_s=0.010)
        self.relays: list[RelayAtWork] = []
        self._stack, self._group = stack, group
        self._tasks: list[Doing[Any]] = []
        self._records: dict[str, list[HostPort]] = {}
        self.records_delay_s = 0.0
        self.dial_turn: DialTurn | None = None
        self._homes = 0

    # -- making it

    def start(self, work: Coroutine[Any, Any, T]) -> Doing[T]:
        """Let something go on beside the scenario, until it or the world ends."""
        doing = Doing(self._group, work)
        self._tasks.append(doing)
        return doing

    async def enter(self, context: Any) -> Any:
        """Enter a context manager that is left at the end of the world."""
        return await self._stack.enter_async_context(context)

    def name(self, name: str, *hosts: str) -> None:
        """Give a name in DNS these addresses."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.names[name] = list(hosts)

    def records(self, service: str, *targets: HostPort) -> None:
        """Give a service SRV records in DNS."""
        self._records[service] = list(targets)

    def nat(self, kind: NatKind = MASQUERADE, **more: Any) -> Nat:
        """Return a new home's router."""
        self._homes += 1
        return self.net.nat(f"20.1.0.{self._homes}", kind, **more)

    async def relay(
        self,
        host: str = RELAY_HOST,
        *,
        access: AccessRules = AccessRules(),  # noqa: B008 - it is frozen
        keypair: Keypair | None = None,
        machine: Host | None = None,
        hub: Hub | None = None,
        turn: TurnService | None = None,
    ) -> RelayAtWork:
        """Open a relay with one extra port, under the name RELAY."""
        machine = machine or self.net.host(host)
        self.name(RELAY.host, host)
        endpoint = await self.open_endpoint(machine, RELAY.port, keypair)
        reflectors = [Reflector(machine.wire(RELAY.port + 1))]
        where = f"{host}:{RELAY.port}"
        relay: RelayAtWork
        server = Relay(
            endpoint,
            reflectors,
            RelaySettings(access, turn),
            lambda event: relay.report(event),
            None if hub is None else Fleet(hub.seat(), endpoint.identity, [where]),
        )
        relay = RelayAtWork(endpoint, machine, server, self.start(server.run()))
        self.relays.append(relay)
        await asyncio.sleep(0.001)
        return relay

    async def person(
        self,
        name: str,
        kind: NatKind | None = MASQUERADE,
        *,
        nat: Nat | None = None,
        keypair: Keypair | None = None,
        port: int = 0,
        registers: bool = True,
        publishes: bool = True,
        by_tcp: "RelayAtWork | None" = None,
    ) -> Person:
        """Return somebody behind a NAT of their own (kind None: public).

        `by_tcp`: a relay that they also reach at TCP port 443.
        """
        router = nat or (self.nat(kind) if kind else None)
        if router is None:
            self._homes += 1
        own = f"192.168.{self._homes}" if router else f"20.2.{self._homes}"
        used = len(router.inside.directory) if router else 0
        machine = self.net.host(f"{own}.{2 + used}", nat=router)
        keypair = keypair or Keypair.generate()
        seen = router.external if router else f"{own}.{2 + used}"
        dial_tunnel = dialler_to(by_tcp.endpoint, seen) if by_tcp else None
        endpoint = await self.open_endpoint(machine, port, keypair, dial_tunnel)
        person = Person(self, name, keypair, machine, router, endpoint)
        if registers:
            await person.register(publishes=publishes)
        return person

    async def people(
        self, *names: str, kind: NatKind | None = MASQUERADE
    ) -> list[Person]:
        """Return a relay's people, each behind a NAT of the same kind."""
        await self.relay()
        return [await self.person(name, kind) for name in names]

    async def open_endpoint(
        self,
        machine: Host,
        port: int = 0,
        keypair: Keypair | None = None,
        dial_tunnel: DialTunnel | None = None,
    ) -> Endpoint:
        """Open one more socket."""
        endpoint: Endpoint = await self.enter(
            open_endpoint(
                keypair or Keypair.generate(),
                Bind(port, required=True),
                lambda event: None,
                open_wire=lambda port, host, multihomed: machine.wire(port),
                dial_tunnel=dial_tunnel,
                look_up_srv=self._look_up_srv,
                dial_turn=self.dial_turn,
            )
        )
        return endpoint

    async def _look_up_srv(self, records: str) -> list[HostPort]:
        await asyncio.sleep(self.records_delay_s)
        return self._records.get(records, [])

    # -- watching it

    def record(self) -> list[Packet]:
        """Return a list that each packet on the public segment is put into."""
        packets: list[Packet] = []

        def tap(packet: Packet) -> None:
            if packet.segment == "public":
                packets.append(packet)

        self.net.on_packet(tap)
        return packets

    # -- ending it

    async def stop(self) -> None:
        for doing in reversed(self._tasks):
            await doing.stop()


def scenario(
    play: Callable[Concatenate[World, P], Awaitable[None]],
) -> Callable[P, None]:
    """Make a test out of what happens in a new world, in virtual time."""

    async def in_a_world(*args: P.args, **kwargs: P.kwargs) -> None:
        async with task_group() as group, AsyncExitStack() as stack:
            world = World(stack, group)
            try:
                await play(world, *args, **kwargs)
            finally:
                await world.stop()

    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(in_a_world(*args, **kwargs))

    signature = inspect.signature(play)
    fixtures = list(signature.parameters.values())[1:]
    test.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
    test.__name__, test.__doc__ = play.__name__, play.__doc__
    test.__module__ = play.__module__
    return test
