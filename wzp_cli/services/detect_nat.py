"""`wzp detect-nat`: ask servers what they see of the one socket, and judge the NAT."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import DETECT_DOUBT_S, DETECT_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.events import Report
from wzp_cli.ports import FindInterfaces, LookByTcp, RelayPins
from wzp_cli.protocol.nat import (
    Allocation,
    Filtering,
    Ipv6Facts,
    Mapping,
    NatFacts,
    Reflection,
    RouterOffers,
    address_pooled,
    classify_allocation,
    classify_filtering,
    classify_mapping,
    port_preserving,
)
from wzp_cli.protocol.nat.evidence import (
    FilterEvidence,
    accepts_unsolicited_input,
    merge_filtering,
)
from wzp_cli.protocol.nat.surroundings import carrier_nat, nat_layers, preferred_relay
from wzp_cli.protocol.reach import is_public
from wzp_cli.services.diagnosis.blocked import Silence, look_into
from wzp_cli.services.diagnosis.filtering import Trial, by_relays, by_stun
from wzp_cli.services.diagnosis.fresh_sockets import FreshSockets, try_fresh_sockets
from wzp_cli.services.diagnosis.path_mtu import find_path_mtu
from wzp_cli.services.diagnosis.survey import Server, ServerAnswer, Survey

__all__ = ["DetectSettings", "NatReport", "Server", "ServerAnswer", "detect_nat"]


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
        preferred_relay: Of those asked, as the user named it.
        tcp_relay: Host and TCP port of a relay that calls can go through where UDP is
            blocked.
        names_found: Whether any server's name has led to an address.
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
    preferred_relay: str | None = None
    tcp_relay: HostPort | None = None
    names_found: bool | None = None


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """What to measure, and with whose help.

    Attributes:
        public_stun: Asked where fewer than two named hosts answer.
        look: Looks around by TCP where no UDP comes back.
        ask_router: Tells by which protocols the router maps ports.
        relay_token: What the relays want to see of their clients ("" nothing).
        preferred_relay: The one that was preferred last time.
        timeout_s: Most time that it may take; what is known by then is told.
    """

    public_stun: tuple[HostPort, ...] = ()
    look: LookByTcp | None = None
    ask_router: Callable[[], Awaitable[RouterOffers]] | None = None
    relay_token: str = ""
    preferred_relay: str | None = None
    timeout_s: float = DETECT_TIMEOUT_S


async def detect_nat(
    endpoint: Endpoint,
    servers: Sequence[Server],
    pins: RelayPins,
    find_interfaces: FindInterfaces,
    report: Report,
    settings: DetectSettings | None = None,
) -> NatReport:
    """Measure the NAT in front of the one socket that also dials and accepts.

    The one socket asks every server; whatever needs a socket that has written to nobody
    is measured with spare ones. So it may run as often as one likes, and in the middle
    of anything else that the endpoint does.

    Args:
        endpoint: The socket to measure.
        servers: Relays and STUN servers; two at different hosts, at least, to judge.
        pins: Keys of relays met before.
        find_interfaces: Lists own addresses.
        report: Takes warnings about relays.
        settings: What to measure.

    Raises:
        KeyChanged: A relay shows another key than the pinned one.
    """
    settings = settings or DetectSettings()
    survey = Survey(endpoint, pins, report, settings.relay_token)
    diagnosis = _Diagnosis(survey, servers, settings)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.timeout_s):
                await diagnosis.run()
    finally:
        await survey.close()
    own = [Address(each.host, endpoint.local.port) for each in find_interfaces()]
    return diagnosis.judge(own)


@dataclass
class _Diagnosis:
    survey: Survey
    servers: Sequence[Server]
    settings: DetectSettings
    fresh: FreshSockets = field(default_factory=FreshSockets)
    hops: list[str | None] = field(default_factory=list)
    by_relays: Trial = field(default_factory=Trial)
    by_relays_v6: Trial = field(default_factory=Trial)
    by_stun: Trial = field(default_factory=Trial)
    router: RouterOffers = field(default_factory=RouterOffers)
    path_mtu: int | None = None
    silence: Silence = field(default_factory=Silence)

    async def run(self) -> None:
        """Measure everything at once; each waits for what it needs alone."""
        survey = self.survey
        async with task_group() as group:
            reading = group.create_task(survey.read())
            asking = group.create_task(self._ask())
            group.create_task(survey.settle())
            async with task_group() as measuring:
                for measure in (
                    survey.time_again,
                    self._trace,
                    self._try_fresh_sockets,
                    self._find_path_mtu,
                    self._filter_v4,
                    self._filter_v6,
                    self._filter_by_stun,
                    self._ask_router,
                    self._look_into_silence,
                ):
                    measuring.create_task(measure())
            await survey.until(lambda: survey.settled)
            asking.cancel()
            reading.cancel()

    async def _ask(self) -> None:
        async with task_group() as group:
            group.create_task(self._ask_public())
            await self.survey.ask(self.servers)
            self.survey.named_settled = True
            self.survey.tell()
        self.survey.settled = True
        self.survey.tell()

    async def _ask_public(self) -> None:
        """Ask public servers, unless two hosts of those that were named answer soon."""
        survey = self.survey
        with suppress(TimeoutError):
            async with asyncio.timeout(DETECT_DOUBT_S):
                await survey.until(
                    lambda: len(survey.hosts()) > 1 or survey.named_settled
                )
        if len(survey.hosts()) < 2:
            public = [Server(n, "stun", True) for n in self.settings.public_stun]
            await survey.ask(public)

    async def _first_answer(self) -> Reflection | None:
        """Return the first IPv4 answer from outside our own network, if one comes."""
        survey = self.survey

        def outside() -> list[Reflection]:
            every = survey.reflections()
            return [each for each in every if is_public(each.server.host)]

        await survey.until(lambda: outside() or survey.settled)
        return next(iter(outside() or survey.reflections()), None)

    async def _trace(self) -> None:
        survey = self.survey

        def v4() -> list[Address]:
            return [each for each in survey.addresses if not each.is_v6]

        await survey.until(lambda: v4() or survey.settled)
        if toward := v4():
            self.hops = await survey.endpoint.trace(toward[0])

    async def _try_fresh_sockets(self) -> None:
        if answer := await self._first_answer():
            self.fresh = await try_fresh_sockets(self.survey.endpoint, answer.server)

    async def _find_path_mtu(self) -> None:
        if answer := await self._first_answer():
            self.path_mtu = await find_path_mtu(
                self.survey.endpoint, answer.server, answer.rtt_s
            )

    async def _filter_v4(self) -> None:
        await by_relays(self.survey, self.by_relays, v6=False)
        self.survey.tell()

    async def _filter_v6(self) -> None:
        await by_relays(self.survey, self.by_relays_v6, v6=True)

    async def _filter_by_stun(self) -> None:
        """Let the first STUN server that has another address write to us."""
        survey = self.survey

        def able() -> list[Reflection]:
            return [each for each in survey.reflections() if each.other is not None]

        await survey.until(lambda: able() or survey.settled or self._has_filtering())
        if not self._has_filtering():
            for answer in able()[:1]:
                await by_stun(survey.endpoint, self.by_stun, answer)

    def _evidence(self) -> list[FilterEvidence]:
        return [self.by_relays.evidence(), self.by_stun.evidence()]

    def _has_filtering(self) -> bool:
        return None not in merge_filtering(self._evidence())

    async def _ask_router(self) -> None:
        if self.settings.ask_router is not None:
            self.router = await self.settings.ask_router()

    async def _look_into_silence(self) -> None:
        """Find out why nobody answers, once that lasts for a while."""
        survey, look = self.survey, self.settings.look
        if look is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(DETECT_DOUBT_S):
                await survey.until(lambda: survey.has_answer or survey.settled)
        if not survey.has_answer:
            v4 = [each for each in survey.addresses if not each.is_v6]
            self.silence = await look_into(survey.endpoint, v4, look)

    # -- the report

    def judge(self, own: list[Address]) -> NatReport:
        """Put together what was found."""
        reflections = self.survey.reflections()
        mapping = classify_mapping(own, reflections)
        allocation, delta = self._allocation(own, reflections)
        port, address = merge_filtering(self._evidence())
        facts = NatFacts(
            mapping=mapping,
            filtering=classify_filtering(
                mapping, other_port=port, other_address=address
            ),
            allocation=allocation,
            pooled=address_pooled(reflections),
            udp_blocked=self._is_blocked(),
        )
        return NatReport(
            local=tuple(own),
            answers=tuple(self.survey.all_answers()),
            facts=facts,
            port_preserving=port_preserving(own, reflections),
            port_delta=delta,
            reflexive=_first(reflections),
            reflexive_v6=_first(self.survey.reflections(v6=True)),
            hairpinning=self._hairpinning(facts),
            hops=tuple(self.hops) or None,
            nat_layers=nat_layers(mapping, own, self.hops),
            carrier_nat=carrier_nat(own, self.hops),
            accepts_unsolicited_input=self._is_spoiled(mapping),
            captive_portal=self.silence.captive_portal,
            ipv6=self._ipv6(own),
            path_mtu_bytes=self.path_mtu,
            router=self.router,
            preferred_relay=self._preferred_relay(),
            tcp_relay=self.survey.tcp_relay if self._is_blocked() else None,
            names_found=self.survey.has_found,
        )

    def _is_blocked(self) -> bool | None:
        """Whether no UDP comes back; a relay that answers by TCP alone shows it."""
        if self.survey.has_answer:
            return False
        return self.survey.tcp_relay is not None or self.silence.udp_blocked

    def _allocation(
        self, own: list[Address], reflections: list[Reflection]
    ) -> tuple[Allocation, int | None]:
        if self.fresh.allocation is not Allocation.UNKNOWN:
            return self.fresh.allocation, self.fresh.port_delta
        return classify_allocation(own, reflections)

    def _hairpinning(self, facts: NatFacts) -> bool | None:
        if facts.mapping is Mapping.NONE:
            return None
        is_steady = facts.mapping is Mapping.ENDPOINT_INDEPENDENT
        lets_in = facts.filtering is Filtering.ENDPOINT_INDEPENDENT
        return self.fresh.hairpinned if is_steady or lets_in else None

    def _is_spoiled(self, mapping: Mapping) -> bool | None:
        reflections = self.survey.reflections()
        found = [
            accepts_unsolicited_input(reflections, mapping, each)
            for each in self._evidence()
        ]
        known = [each for each in found if each is not None]
        return any(known) if known else None

    def _ipv6(self, own: list[Address]) -> Ipv6Facts:
        reflections = self.survey.reflections(v6=True)
        mapping = classify_mapping(own, reflections, v6=True)
        port, address = merge_filtering([self.by_relays_v6.evidence()])
        filtering = classify_filtering(mapping, other_port=port, other_address=address)
        asked = any(each.is_v6 for each in self.survey.addresses)
        if reflections:
            return Ipv6Facts(True, filtering)
        has_one = any(each.is_v6 and is_public(each.host) for each in own)
        is_known = (asked and self.survey.settled) or not has_one
        return Ipv6Facts(False if own and is_known else None)

    def _preferred_relay(self) -> str | None:
        rtts_s: dict[str, float] = {}
        for each in self.survey.answers:
            if each.kind == "relay" and each.reflection is not None:
                rtt_s = each.reflection.rtt_s
                rtts_s[each.name] = min(rtt_s, rtts_s.get(each.name, rtt_s))
        asked = {str(each.name) for each in self.servers if each.kind == "relay"}
        before = self.settings.preferred_relay
        return preferred_relay(before if before in asked else None, rtts_s)


def _first(reflections: Sequence[Reflection]) -> Address | None:
    return next((each.reflexive for each in reflections), None)
