"""The direct upgrade: the shell around protocol/paths.py for one answered call."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults import (
    MAX_CANDIDATES,
    OPENER_TTLS_HOPS,
    SURROUNDINGS_INTERVAL_S,
)
from wzp_cli.endpoint.checks import CheckKey
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.events import (
    Candidate,
    PathChanged,
    PathName,
    PathSelected,
    PathSpan,
    PathTried,
    Report,
)
from wzp_cli.ports import FindInterfaces
from wzp_cli.protocol.paths import Check, Paths, RouteKind, State, Trial
from wzp_cli.protocol.peer_messages import (
    CandidateInfo,
    Candidates,
    CandidateType,
    Nat,
    Opened,
    Searching,
)
from wzp_cli.protocol.reach import Surroundings, is_public, may_check
from wzp_cli.protocol.route import ChannelRoute, DirectRoute, Route
from wzp_cli.services.conversation import Conversation
from wzp_cli.services.measure import measure_nat
from wzp_cli.services.registration import Registration
from wzp_cli.services.search import Searcher, nat_of

__all__ = ["RoutePlan", "RouteTaker"]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What a call's routes depend on.

    Attributes:
        direct: Offer and check direct routes at all; False is "always by relay".
        find_interfaces: Lists own addresses.
        home: Our relay; None in a call without one.
    """

    direct: bool
    find_interfaces: FindInterfaces
    home: Registration | None = None

    @property
    def reflexive(self) -> Address | None:
        """Our address as the relay sees it."""
        return None if self.home is None else self.home.reflexive

    @property
    def opener_ttls(self) -> tuple[int, ...]:
        """What opens our NAT without reaching the peer's."""
        return OPENER_TTLS_HOPS if self.home is None else self.home.opener_ttls

    def seen_at(self, route: Route) -> Address | None:
        """Return where the relay sees the peer at the other end of a channel."""
        if self.home is None or not isinstance(route, ChannelRoute):
            return None
        return self.home.seen_at(route)


@dataclass
class RouteTaker:
    """Finds routes for one call and moves its link to the best.

    Attributes:
        spans: Which path media used since when, in milliseconds from the answer.
        time_to_direct_ms: When media first went direct.
    """

    endpoint: Endpoint
    conversation: Conversation
    plan: RoutePlan
    report: Report
    spans: list[PathSpan] = field(default_factory=list)
    time_to_direct_ms: float | None = None

    def __post_init__(self) -> None:
        link = self.conversation.link
        self._began = self.endpoint.now()
        self._session = self.endpoint.open_checks()
        self._session.on_answer = self._answered
        self._session.on_request = self._checked
        self._session.allows = self._may_use
        self._paths = Paths(
            link.dialled, link.routes[0], self._began, self.plan.opener_ttls
        )
        self._wake = asyncio.Event()
        self._refused: dict[Address, str] = {}
        self._named: dict[Address, CandidateType] = {}
        self._peer_direct = True
        self._told: dict[Route, State] = {}
        self._offered: list[CandidateInfo] | None = None
        self._nat: Nat | None = None
        self._surroundings = self._look_around()
        self._searcher = self._make_searcher()
        link.on_stray = self._strayed
        if self.plan.home is not None:
            self.plan.home.watchers.add(self._relay_told)
        self._report_selected("the call began here")

    @property
    def path(self) -> PathName:
        """Which path media takes now."""
        return "direct" if self._paths.is_direct else "relay"

    @property
    def remote(self) -> str:
        """Where media goes now."""
        selected = self._paths.selected
        return str(
            selected.relay if isinstance(selected, ChannelRoute) else selected.address
        )

    @property
    def rtt_ms(self) -> float | None:
        """The selected route's round trip."""
        rtt_s = self._paths.rtt_s
        if rtt_s is None:
            rtt_s = self.conversation.link.smoothed_rtt_s
        return None if rtt_s is None else rtt_s * 1000

    def offer(self) -> None:
        """Tell the peer our candidates and the key to check them with.

        Again, whenever they have changed or more is known of our NAT.
        """
        own = self._own_candidates() if self.plan.direct else []
        for candidate in own:
            if self._offered is None or candidate not in self._offered:
                self.report(
                    Candidate(
                        side="local", type=candidate.type, address=candidate.address
                    )
                )
        if self._offered is None:
            self._reveal()
        self._offered = own
        key = self._session.local
        self.conversation.try_to_say(
            Candidates(ufrag=key.ufrag, pwd=key.password, list=own, nat=self._nat)
        )

    def take(self, message: Candidates | Opened | Searching) -> None:
        """Take what the peer says of its routes."""
        match message:
            case Candidates():
                self._take_candidates(message)
            case Opened():
                self._paths.peer_opened(self.endpoint.now())
            case Searching():
                self._searcher.take(message)
        self._wake.set()

    async def run(self) -> None:
        """Check, probe, search and move the link, until cancelled."""
        async with task_group() as group:
            group.create_task(self._check())
            if self.plan.direct:
                group.create_task(self._search())
                group.create_task(self._watch_surroundings())

    def close(self) -> None:
        """Answer no more checks."""
        self.endpoint.close_checks(self._session)
        self._searcher.close()
        self.conversation.link.on_stray = None
        if self.plan.home is not None:
            self.plan.home.watchers.discard(self._relay_told)

    @property
    def why_not_direct(self) -> str | None:
        """Why media never went direct, in a few words; None when it did."""
        if self.time_to_direct_ms is not None:
            return None
        if not self.plan.direct:
            return "this side keeps to the relay"
        if not self._peer_direct:
            return "the peer keeps to the relay"
        return "; ".join(filter(None, (self._searcher.reason, self._what_was_tried())))

    def _what_was_tried(self) -> str:
        tried = [t for t in self._paths.trials.values() if not t.is_relay]
        if tried:
            elapsed_s = self.endpoint.now() - self._began
            addresses = ", ".join(str(trial.route) for trial in tried)
            return f"no answer from {addresses} in {elapsed_s:.1f} s"
        if self._refused:
            refused = (f"{where} is a {why}" for where, why in self._refused.items())
            return f"no address to try: {'; '.join(refused)}"
        return "the peer named no address"

    # -- inside

    async def _check(self) -> None:
        while True:
            self._wake.clear()
            due: float | None = None
            if self._session.remote is not None:
                self._poll()
                due = self._paths.due
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()

    async def _search(self) -> None:
        """Measure, tell the peer what we know, and do our part of the search."""
        home = self.plan.home
        if home is None or not home.is_up:
            return
        port = self.endpoint.local.port
        own = [Address(host, port) for host in self._surroundings.hosts]
        ours = await measure_nat(self.endpoint, home.address, home.extra_ports, own)
        self._nat = nat_of(ours.facts)
        self.offer()
        await self._searcher.run(ours)

    async def _watch_surroundings(self) -> None:
        """Offer what is new when this machine changes its network."""
        while True:
            await asyncio.sleep(SURROUNDINGS_INTERVAL_S)
            now = self._look_around()
            if now.hosts != self._surroundings.hosts:
                self._surroundings = now
                self._nudge()
                self._moved()

    def _relay_told(self) -> None:
        """Our address from outside, or the peer's, has changed."""
        self._surroundings = self._look_around()
        self._moved()
        self._searcher.look()

    def _moved(self) -> None:
        """Say where we are now, and look again at where the peer says it is."""
        if not self.plan.direct or self._offered is None:
            return
        if self._own_candidates() != self._offered:
            self.offer()
        self._paths.add(self._allowed(), self.endpoint.now())
        self._wake.set()

    def _nudge(self) -> None:
        if self.plan.home is not None:
            self.plan.home.nudge()

    def _reveal(self) -> None:
        """Let the relay confirm to the peer where we are."""
        first = self._paths.first
        home = self.plan.home
        if self.plan.direct and home is not None and isinstance(first, ChannelRoute):
            home.reveal(first)

    def _make_searcher(self) -> Searcher:
        home, link = self.plan.home, self.conversation.link
        return Searcher(
            self.endpoint,
            self._session,
            self._paths,
            self.conversation.try_to_say,
            self.report,
            home.address if home is not None and home.is_up else None,
            self.plan.opener_ttls,
            self._confirmed,
            lambda: link.smoothed_rtt_s,
        )

    def _confirmed(self) -> Address | None:
        """Return the peer's address that both it and the relay name, if they do."""
        seen = self.plan.seen_at(self._paths.first)
        if seen is None or seen.is_v6 or self._why_not(seen) is not None:
            return None
        there = [each for each in self._named if each.host == seen.host]
        named = [each for each in there if self._why_not(each) is None]
        return seen if seen in named else next(iter(named), None)

    def _poll(self) -> None:
        now = self.endpoint.now()
        for check in self._paths.poll(now):
            if self._may_send(check, now):
                self._session.send(
                    check.route, ttl=check.ttl, nominates=check.nominates
                )
        if self._paths.tell_opened():
            self.conversation.try_to_say(Opened())
        self._settle()

    def _may_send(self, check: Check, now: float) -> bool:
        """Whether the process may still send to a host that has not answered."""
        trial = self._paths.trials[check.route]
        if isinstance(check.route, ChannelRoute) or trial.answered_at is not None:
            return True
        return self.endpoint.spray.take_check(check.route.address.host, now)

    def _settle(self) -> None:
        """Move the link where the rules say, and report what changed."""
        link = self.conversation.link
        before = link.routes[:1]
        if self._paths.sending != link.routes:
            link.use_routes(self._paths.sending)
        self._report_trials()
        self._searcher.look()
        if before != (self._paths.selected,):
            self._report_selected(self._reason(before))

    def _reason(self, before: tuple[Route, ...]) -> str:
        old = self._paths.trials.get(before[0]) if before else None
        if old is not None and old.state in (State.DOUBTED, State.FAILED):
            return f"{old.route} no longer answers"
        return "a better route was found"

    def _answered(self, route: Route, rtt_s: float, _mapped: Address | None) -> None:
        self._paths.answered(route, rtt_s, self.endpoint.now())
        self._wake.set()

    def _checked(self, route: Route, nominates: bool) -> None:
        self._paths.checked(route, nominates=nominates, now=self.endpoint.now())
        self._wake.set()

    def _strayed(self, route: Route) -> None:
        if self._may_use(route):
            self._paths.strayed(route, self.endpoint.now())
            self._wake.set()

    def _may_use(self, route: Route) -> bool:
        if isinstance(route, ChannelRoute):
            return route in self._paths.trials
        return self.plan.direct and self._why_not(route.address) is None

    def _why_not(self, address: Address) -> str | None:
        return may_check(address, self._surroundings, self._where_the_peer_is())

    def _where_the_peer_is(self) -> str | None:
        """Return the peer's host as far as it is no word of the peer's.

        What the peer says of itself would let it point us at private addresses. Until
        the relay has told, private candidates have to be of our own networks; a relay
        on this machine has its clients here.
        """
        first = self._paths.first
        if isinstance(first, DirectRoute):
            return first.address.host
        seen = self.plan.seen_at(first)
        if seen is not None:
            return seen.host
        return first.relay.host if first.relay.ip.is_loopback else None

    def _look_around(self) -> Surroundings:
        interfaces = self.plan.find_interfaces()
        reflexive = self.plan.reflexive
        return Surroundings(
            hosts=frozenset(each.host for each in interfaces),
            networks=tuple(each.network for each in interfaces),
            reflexive=reflexive.host if reflexive is not None else None,
        )

    def _own_candidates(self) -> list[CandidateInfo]:
        port = self.endpoint.local.port
        hosts = [Address(each.host, port) for each in self.plan.find_interfaces()]
        found = [CandidateInfo(type="host", address=str(each)) for each in hosts]
        reflexive = self.plan.reflexive
        if reflexive is not None and reflexive not in hosts:
            found.insert(0, CandidateInfo(type="srflx", address=str(reflexive)))
        return found[:MAX_CANDIDATES]

    def _take_candidates(self, message: Candidates) -> None:
        self._session.remote = CheckKey(message.ufrag, message.pwd)
        self._peer_direct = bool(message.list)
        if not self.plan.direct:
            return
        for candidate in message.list:
            self._note(candidate)
        self._paths.add(self._allowed(), self.endpoint.now())
        if message.nat is not None:
            self._searcher.take_facts(message.nat)
        self._searcher.look()

    def _note(self, candidate: CandidateInfo) -> None:
        """Keep what the peer names, up to a limit: it may name more for ever."""
        try:
            address = Address.parse(candidate.address)
        except ValueError:
            return
        if len(self._named) < 2 * MAX_CANDIDATES and address not in self._named:
            self._named[address] = candidate.type
            self.report(
                Candidate(side="remote", type=candidate.type, address=str(address))
            )

    def _allowed(self) -> list[tuple[Route, RouteKind]]:
        """Return what the peer has named and we may check, as far as we know now."""
        allowed: list[tuple[Route, RouteKind]] = []
        self._refused.clear()
        for address, kind in self._named.items():
            why_not = self._why_not(address)
            if why_not is not None:
                self._refused[address] = why_not
            elif kind == "host" and is_public(address.host):
                # Perhaps behind a firewall: opened like a NAT.
                allowed.append((DirectRoute(address), "srflx"))
            else:
                allowed.append((DirectRoute(address), kind))
        return allowed

    # -- reporting

    def _since_ms(self) -> float:
        return round((self.endpoint.now() - self._began) * 1000, 1)

    def _report_selected(self, reason: str) -> None:
        path, rtt_ms = self.path, self._paths.rtt_s
        rtt_ms = None if rtt_ms is None else round(rtt_ms * 1000, 1)
        first = not self.spans
        self.spans.append(PathSpan(path=path, from_ms=self._since_ms()))
        if path == "direct" and self.time_to_direct_ms is None:
            self.time_to_direct_ms = self.spans[-1].from_ms
        if first:
            self.report(PathSelected(path=path, remote=self.remote, rtt_ms=rtt_ms))
        else:
            self.report(
                PathChanged(path=path, remote=self.remote, reason=reason, rtt_ms=rtt_ms)
            )

    def _report_trials(self) -> None:
        for route, trial in self._paths.trials.items():
            if self._told.get(route) == trial.state:
                continue
            self._told[route] = trial.state
            if trial.state in (State.DOUBTED, State.FAILED) and (
                trial.is_relay or route == self._paths.selected
            ):
                self._nudge()
            if route != self._paths.first:
                self._report_trial(trial)

    def _report_trial(self, trial: Trial) -> None:
        if trial.state not in (State.VALID, State.FAILED):
            return
        answered = trial.state is State.VALID
        self.report(
            PathTried(
                address=str(trial.route),
                answered=answered,
                checks=trial.sent,
                elapsed_ms=self._since_ms(),
                reason=None if answered else "no answer",
            )
        )
