"""`wzp detect-nat`: ask servers what they see of the one socket, and judge the NAT."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import IdentityError, NameNotFound, WzpError
from wzp_cli.events import Report, Warned
from wzp_cli.ports import FindInterfaces, RelayPins
from wzp_cli.protocol.nat import (
    Ipv6Facts,
    NatFacts,
    Reflection,
    RouterOffers,
    address_pooled,
    classify_allocation,
    classify_mapping,
    port_preserving,
)
from wzp_cli.services.registration import register

__all__ = ["NatReport", "Server", "ServerAnswer", "detect_nat"]


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask."""

    name: HostPort
    kind: Literal["relay", "stun"]


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What became of one question. `error` says why there is no reflection.

    Attributes:
        public: One of the public servers that are asked where too few others answer.
    """

    server: str
    kind: Literal["relay", "stun"]
    reflection: Reflection | None
    error: str | None = None
    public: bool = False


@dataclass(frozen=True, slots=True)
class NatReport:
    """What was asked, what was answered, and what follows. None: not measured.

    Attributes:
        local: The socket's own addresses.
        facts: What is known of the IPv4 NAT.
        reflexive_v6: The socket's IPv6 address from outside.
        hairpinning: Whether hosts behind the NAT reach each other's external addresses.
        hops: The routers up to the first public one, nearest first; None in it: silent.
        nat_layers: How many NATs are in a row; 0: none.
        carrier_nat: Whether one of them is the provider's.
        accepts_unsolicited_input: Whether an unsolicited packet spoils the mapping for
            its sender ("poisonable", docs/nat.md).
        captive_portal: Whether somebody else answers in place of the web.
        path_mtu_bytes: The largest IPv4 packet that was seen to pass, of those tried.
        mapping_lifetime_s: The longest silence after which a mapping still stood.
        preferred_relay: Of those asked, as the user named it.
    """

    local: tuple[Address, ...]
    answers: tuple[ServerAnswer, ...]
    facts: NatFacts
    port_preserving: bool | None
    port_delta: int | None
    reflexive: Address | None
    reflexive_v6: Address | None
    hairpinning: bool | None = None
    hops: tuple[str | None, ...] | None = None
    nat_layers: int | None = None
    carrier_nat: bool | None = None
    accepts_unsolicited_input: bool | None = None
    captive_portal: bool | None = None
    ipv6: Ipv6Facts = field(default_factory=Ipv6Facts)
    path_mtu_bytes: int | None = None
    router: RouterOffers = field(default_factory=RouterOffers)
    mapping_lifetime_s: float | None = None
    preferred_relay: str | None = None


async def detect_nat(
    endpoint: Endpoint,
    servers: Sequence[Server],
    pins: RelayPins,
    find_interfaces: FindInterfaces,
    report: Report,
    *,
    timeout_s: float,
) -> NatReport:
    """Ask every server at once, from the socket that also dials and accepts.

    A relay is asked at its extra ports too, so that one relay alone shows whether the
    mapping depends on the port.

    Args:
        endpoint: The socket to measure.
        servers: Relays and STUN servers; two at different hosts, at least, to judge.
        pins: Keys of relays met before.
        find_interfaces: Lists own addresses.
        report: Takes what the relays' registrations tell.
        timeout_s: How long to wait for the slowest.

    Raises:
        KeyChanged: A relay shows another key than the pinned one.
    """
    survey = _Survey(endpoint, pins, report, timeout_s)
    async with task_group() as group:
        for server in servers:
            group.create_task(survey.ask(server))
    own = [Address(each.host, endpoint.local.port) for each in find_interfaces()]
    return _judge(own, survey.answers)


@dataclass
class _Survey:
    endpoint: Endpoint
    pins: RelayPins
    report: Report
    timeout_s: float

    def __post_init__(self) -> None:
        self.answers: list[ServerAnswer] = []

    async def ask(self, server: Server) -> None:
        try:
            addresses = await self.endpoint.resolve(server.name)
        except NameNotFound as error:
            self._note(server, str(server.name), error=str(error))
            return
        async with task_group() as group:
            for address in addresses:
                group.create_task(self._reflect(server, address))
            if server.kind == "relay":
                group.create_task(self._ask_extra_ports(server))

    async def _ask_extra_ports(self, server: Server) -> None:
        """Learn a relay's other ports from itself, and ask them as well."""
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                register(
                    self.endpoint, server.name, self.pins, self.report, publishes=False
                ) as registration,
                task_group() as group,
            ):
                host = registration.address.host
                for port in registration.extra_ports:
                    group.create_task(self._reflect(server, Address(host, port)))
        except TimeoutError:
            return
        except IdentityError:
            raise  # somebody else answers there: nothing it says counts
        except WzpError as error:
            self.report(Warned(code=error.code, message=f"{server.name}: {error}"))

    async def _reflect(self, server: Server, address: Address) -> None:
        name = str(server.name if address.port == server.name.port else address)
        try:
            async with asyncio.timeout(self.timeout_s):
                reflection = await self.endpoint.reflect(address)
        except TimeoutError:
            self._note(server, name, error=f"no answer from {address}")
        else:
            self._note(server, name, reflection)

    def _note(
        self,
        server: Server,
        name: str,
        reflection: Reflection | None = None,
        error: str | None = None,
    ) -> None:
        self.answers.append(ServerAnswer(name, server.kind, reflection, error))


def _judge(own: list[Address], answers: list[ServerAnswer]) -> NatReport:
    reflections = [each.reflection for each in answers if each.reflection is not None]
    allocation, delta = classify_allocation(own, reflections)
    facts = NatFacts(
        mapping=classify_mapping(own, reflections),
        allocation=allocation,
        pooled=address_pooled(reflections),
        udp_blocked=False if reflections else None,
    )
    return NatReport(
        local=tuple(own),
        answers=tuple(answers),
        facts=facts,
        port_preserving=port_preserving(own, reflections),
        port_delta=delta,
        reflexive=_first(reflections, v6=False),
        reflexive_v6=_first(reflections, v6=True),
    )


def _first(reflections: Sequence[Reflection], *, v6: bool) -> Address | None:
    seen = (each.reflexive for each in reflections if each.reflexive.is_v6 == v6)
    return next(seen, None)
