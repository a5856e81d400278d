"""Ask every server what it sees of the one socket, and keep the relays at hand.

The survey is a board: what was answered is put up, and the other measurements wait
until there is what they need, or until there will be no more.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import (
    DETECT_ANSWER_S,
    DETECT_DOUBT_S,
    ROUND_TRIP_AGAIN_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import IdentityError, NameNotFound, NetworkError, WzpError
from wzp_cli.events import Reflexive, Registered, Report, Warned
from wzp_cli.ports import RelayPins
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.nat import Reflection
from wzp_cli.protocol.reach import is_public
from wzp_cli.services.relays.places import Place, RelayPlaces, TakePlaces
from wzp_cli.services.relays.session import RelaySession, RelayVisit

__all__ = ["Server", "ServerAnswer", "Survey", "Visited"]


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask.

    Attributes:
        public: One of the public servers that are asked where too few others answer.
    """

    name: HostPort
    kind: Literal["relay", "stun"]
    public: bool = False


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What became of one question. `error` says why there is no reflection.

    Attributes:
        server: What was asked: the name, or one more of its addresses.
        name: As the user named it.
    """

    server: str
    kind: Literal["relay", "stun"]
    reflection: Reflection | None
    error: str | None = None
    public: bool = False
    name: str = ""


@dataclass
class Visited:
    """A relay that we have a link to.

    Attributes:
        probed: How many probes of each transaction id have left there.
    """

    session: RelaySession
    probed: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        """The relay's address in use."""
        return self.session.address

    def ask_probe(self, port: int, to: int, transaction_id: bytes) -> None:
        """Have a probe sent from an extra port to a port of ours."""
        with suppress(WzpError):  # lost: then nothing comes
            self.session.stream.send(
                relay.ProbeMe(port=port, to=to, id=transaction_id.hex())
            )


@dataclass
class Survey:
    """The questions and their answers.

    Attributes:
        answers: In the order in which they came.
        visited: Relays that are linked.
        named_settled: Nobody who was named is still awaited.
        settled: Nobody at all is, any more.
        addresses: Every address that was found for a server, of UDP.
        has_found: Whether any was, of TCP as well.
        tcp_relay: Host and TCP port of a relay that was reached there while no UDP
            came back.
    """

    endpoint: Endpoint
    pins: RelayPins
    report: Report
    relay_token: str = ""

    def __post_init__(self) -> None:
        self.answers: list[ServerAnswer] = []
        self.visited: list[Visited] = []
        self.addresses: list[Address] = []
        self.has_found = False
        self.tcp_relay: HostPort | None = None
        self.settled = False
        self.named_settled = False
        self.began = self.endpoint.now()
        self._news = asyncio.Event()
        self._asked: dict[Address, int] = {}
        self._pending: dict[str, Server] = {}
        self._order: dict[str, int] = {}
        self._visiting: set[Address] = set()

    # -- the board

    async def until(self, holds: Callable[[], object]) -> None:
        """Return when it holds; it is looked at after each piece of news."""
        while not holds():
            self._news.clear()
            await self._news.wait()

    def tell(self) -> None:
        """Let everybody look again."""
        self._news.set()

    def reflections(self, *, v6: bool = False) -> list[Reflection]:
        """Return the answers of one family, in the order in which was asked."""
        found = [each.reflection for each in self.answers if each.reflection]
        family = [each for each in found if each.reflexive.is_v6 == v6]
        return sorted(family, key=lambda each: self._asked[each.server])

    @property
    def has_answer(self) -> bool:
        """Whether any UDP has come back."""
        return any(each.reflection is not None for each in self.answers)

    def hosts(self) -> set[str]:
        """Return the IPv4 hosts that have answered."""
        return {each.server.host for each in self.reflections()}

    @property
    def is_visiting(self) -> bool:
        """Whether a relay is still being linked, or may be."""
        return bool(self._visiting) or not self.settled

    async def settle(self) -> None:
        """Wait until nobody is awaited, or those that are would not change much.

        That is where two hosts have told all that they can, and the others have been
        silent for DETECT_DOUBT_S. IPv6 is waited for: its silence says something.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(DETECT_DOUBT_S):
                await self.until(lambda: self.settled)
        await self.until(lambda: self.settled or self._is_enough())
        self.settled = True
        self.tell()

    def _is_enough(self) -> bool:
        both = self.reflections() + self.reflections(v6=True)
        answered, hosts = {each.server for each in both}, self.hosts()
        asked = self._asked.keys() | {
            Address(each.address.host, port)
            for each in self.visited
            for port in each.session.extra_ports
        }
        awaited = [e for e in asked - answered if e.is_v6 or e.host in hosts]
        return len(hosts) > 1 and not awaited and not self._visiting & answered

    # -- asking

    async def ask(self, servers: Sequence[Server]) -> None:
        """Ask servers, all at once, until each has answered or was waited for."""
        async with task_group() as group:
            for server in servers:
                group.create_task(self._ask(server))

    async def time_again(self) -> None:
        """Time everybody who answers again, now that there is less to do beside it.

        The shortest round trip counts: what is longer was spent waiting, here or there.
        """
        await self.until(lambda: self.has_answer or self.settled)
        began = self.endpoint.now()
        async with task_group() as group:
            for at_s in ROUND_TRIP_AGAIN_S:
                await asyncio.sleep(began + at_s - self.endpoint.now())
                for number, answer in enumerate(self.answers):
                    if answer.reflection is not None and not answer.public:
                        group.create_task(self._time(number, answer.reflection))

    async def _time(self, number: int, before: Reflection) -> None:
        """Ask again; an answer that takes longer than before tells nothing new."""
        with suppress(TimeoutError):
            async with asyncio.timeout(before.rtt_s):
                again = await self.endpoint.reflect(before.server)
            known = self.answers[number]
            if known.reflection is not None and again.rtt_s < known.reflection.rtt_s:
                seen = replace(known.reflection, rtt_s=again.rtt_s)
                self.answers[number] = replace(known, reflection=seen)

    def all_answers(self) -> list[ServerAnswer]:
        """Return what became of each question, in the order of the servers' names."""
        silent = [
            ServerAnswer(
                name, each.kind, None, "no answer", each.public, str(each.name)
            )
            for name, each in self._pending.items()
        ]
        return sorted(self.answers + silent, key=lambda each: self._order[each.name])

    async def close(self) -> None:
        """Leave the relays, all at once: a farewell may take half a second."""
        async with task_group() as group:
            for each in self.visited:
                group.create_task(each.session.stream.close(reason="bye"))

    async def _ask(self, server: Server) -> None:
        self._pending[str(server.name)] = server
        self._order.setdefault(str(server.name), len(self._order))
        found: set[Place] = set()

        def take(places: Sequence[Place]) -> None:
            self._pending.pop(str(server.name), None)
            self.has_found |= bool(places)
            for place in places:
                if place not in found:
                    found.add(place)
                    group.create_task(self._ask_there(server, place))
            self.tell()

        async with task_group() as group:
            try:
                async with asyncio.timeout(DETECT_ANSWER_S):
                    await self._find(server, take)
            except (NameNotFound, TimeoutError) as error:
                reason = str(error) or f"no address was found for {server.name.host}"
                if not found:
                    self._note(server, str(server.name), error=reason)

    async def _find(self, server: Server, take: TakePlaces) -> None:
        places = RelayPlaces(self.endpoint, server.name, self.pins.tcp_port)
        if server.kind == "relay":
            await places.find(take)
        else:
            take(places.named(await self.endpoint.resolve(server.name)))

    async def _ask_there(self, server: Server, place: Place) -> None:
        if place.address.is_tcp:
            await self._try_tcp(server, place)
        else:
            self.addresses.append(place.address)
            await self._ask_at(server, place.address)

    async def _ask_at(self, server: Server, address: Address) -> None:
        async with task_group() as group:
            if server.kind == "relay":
                self._visiting.add(address)
                group.create_task(self._visit(server, address))
            seen = await self._reflect(server, address)
            if seen is not None and seen.other is not None and not server.public:
                for other in _others(address, seen.other):
                    group.create_task(self._reflect(server, other))

    async def _reflect(self, server: Server, address: Address) -> Reflection | None:
        name = str(server.name if address.port == server.name.port else address)
        if address in self._asked:
            return None
        self._asked[address] = len(self._asked)
        self._pending[name] = server
        try:
            async with asyncio.timeout(DETECT_ANSWER_S):
                reflection = await self.endpoint.reflect(address)
        except TimeoutError:
            self._note(server, name, error=f"no answer from {address}")
            return None
        self._note(server, name, reflection)
        return reflection

    def _visit_to(self, server: Server) -> RelayVisit:
        return RelayVisit(
            *(self.endpoint, server.name, self.pins),
            publishes=False,
            token=self.relay_token,
        )

    async def _try_tcp(self, server: Server, place: Place) -> None:
        """See whether a relay is reached by TCP where nobody answers by UDP."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DETECT_DOUBT_S):
                await self.until(lambda: self.has_answer)
        if self.has_answer:
            return
        visit = self._visit_to(server)
        with suppress(TimeoutError, NetworkError):
            async with asyncio.timeout(DETECT_ANSWER_S):
                session = await visit.open_among([place])
            self.tcp_relay = HostPort(place.host, place.address.port)
            session.end()
            self.tell()

    async def _visit(self, server: Server, address: Address) -> None:
        """Link a relay, and ask its extra ports, which it names itself."""
        visit = self._visit_to(server)
        try:
            async with asyncio.timeout(DETECT_ANSWER_S):
                session = await visit.open_among(visit.places.named([address]))
        except TimeoutError:
            return
        except IdentityError:
            raise  # somebody else answers there: nothing it says counts
        except WzpError as error:
            message = f"{server.name}: {error}"
            self.report(Warned(code=error.code, message=message))
            return
        finally:
            self._visiting.discard(address)
            self.tell()
        self.visited.append(Visited(session))
        self._report_visit(server, session)
        self.tell()
        async with task_group() as group:
            for port in session.extra_ports:
                extra = Address(address.host, port)
                group.create_task(self._reflect(server, extra))

    def _report_visit(self, server: Server, session: RelaySession) -> None:
        via, identity = str(server.name), str(session.link.identity)
        self.report(Reflexive(address=str(session.seen), via=via, changed=False))
        self.report(Registered(relay=via, relay_id=identity, published=False))

    def _note(
        self,
        server: Server,
        name: str,
        reflection: Reflection | None = None,
        error: str | None = None,
    ) -> None:
        self._pending.pop(name, None)
        self.answers.append(
            ServerAnswer(
                *(name, server.kind, reflection, error),
                public=server.public,
                name=str(server.name),
            )
        )
        self.tell()

    # -- reading

    async def read(self) -> None:
        """Read what the relays say, until cancelled."""
        reading: set[int] = set()
        async with task_group() as group:
            while True:
                for each in self.visited[len(reading) :]:
                    reading.add(id(each))
                    group.create_task(self._read(each))
                count = len(reading)
                await self.until(lambda: len(self.visited) > count)  # noqa: B023

    async def _read(self, visited: Visited) -> None:
        with suppress(WzpError):
            async for message in visited.session.stream.messages():
                if isinstance(message, relay.Probed):
                    count = visited.probed.get(message.id, 0)
                    visited.probed[message.id] = count + 1
                    self.tell()


def _others(address: Address, other: Address) -> list[Address]:
    """Return where else a STUN server answers, if it may send us there (RFC 5780)."""
    if other.is_v6 != address.is_v6 or other.port == address.port:
        return []
    if is_public(address.host) and not is_public(other.host):
        return []
    hosts, ports = {address.host, other.host}, {address.port, other.port}
    every = [Address(host, port) for host in sorted(hosts) for port in sorted(ports)]
    return [each for each in every if each != address]
