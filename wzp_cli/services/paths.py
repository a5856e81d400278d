"""The direct upgrade: the shell around protocol/paths.py for one answered call."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults import MAX_CANDIDATES, OPENER_TTLS_HOPS
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
from wzp_cli.protocol.paths import Paths, RouteKind, State, Trial
from wzp_cli.protocol.peer_messages import CandidateInfo, Candidates, Opened
from wzp_cli.protocol.reach import Surroundings, is_public, may_check
from wzp_cli.protocol.route import ChannelRoute, DirectRoute, Route
from wzp_cli.services.conversation import Conversation

__all__ = ["RoutePlan", "RouteTaker"]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What a call's routes depend on.

    Attributes:
        direct: Offer and check direct routes at all; False is "always by relay".
        reflexive: Our address as the relay sees it.
        find_interfaces: Lists own addresses.
        opener_ttls: What opens our NAT without reaching the peer's.
        nudge_relay: Called when the relay's route, or the one in use, is in doubt: our
            address may be new, and the relay has to learn it.
    """

    direct: bool
    reflexive: Address | None
    find_interfaces: FindInterfaces
    nudge_relay: Callable[[], None] = lambda: None
    opener_ttls: tuple[int, ...] = OPENER_TTLS_HOPS


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
        self._refused: list[str] = []
        self._named = 0
        self._peer_direct = True
        self._told: dict[Route, State] = {}
        self._surroundings = self._look_around()
        self._peer_reflexive = self._where_the_peer_is()
        link.on_stray = self._strayed
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
        """Tell the peer our candidates and the key to check them with."""
        own = self._own_candidates() if self.plan.direct else []
        for candidate in own:
            self.report(
                Candidate(side="local", type=candidate.type, address=candidate.address)
            )
        key = self._session.local
        self.conversation.try_to_say(
            Candidates(ufrag=key.ufrag, pwd=key.password, list=own)
        )

    def take(self, message: Candidates) -> None:
        """Take the peer's candidates; those that may be checked are."""
        now = self.endpoint.now()
        self._session.remote = CheckKey(message.ufrag, message.pwd)
        self._peer_direct = bool(message.list)
        if self.plan.direct:
            self._paths.add(self._allowed(message), now)
        self._wake.set()

    def peer_opened(self) -> None:
        """The peer said that its NAT is open."""
        self._paths.peer_opened(self.endpoint.now())
        self._wake.set()

    async def run(self) -> None:
        """Check, probe and move the link, until cancelled."""
        while True:
            self._wake.clear()
            if self._session.remote is not None:
                self._poll()
                due = self._paths.due
            else:
                due = None
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def close(self) -> None:
        """Answer no more checks."""
        self.endpoint.close_checks(self._session)
        self.conversation.link.on_stray = None

    @property
    def why_not_direct(self) -> str | None:
        """Why media never went direct, in a few words; None when it did."""
        if self.time_to_direct_ms is not None:
            return None
        if not self.plan.direct:
            return "this side keeps to the relay"
        if not self._peer_direct:
            return "the peer keeps to the relay"
        tried = [t for t in self._paths.trials.values() if not t.is_relay]
        if tried:
            elapsed_s = self.endpoint.now() - self._began
            addresses = ", ".join(str(trial.route) for trial in tried)
            return f"no answer from {addresses} in {elapsed_s:.1f} s"
        if self._refused:
            return f"no address to try: {'; '.join(self._refused)}"
        return "the peer named no address"

    # -- inside

    def _poll(self) -> None:
        now = self.endpoint.now()
        for check in self._paths.poll(now):
            self._session.send(check.route, ttl=check.ttl, nominates=check.nominates)
        if self._paths.tell_opened():
            self.conversation.try_to_say(Opened())
        self._settle()

    def _settle(self) -> None:
        """Move the link where the rules say, and report what changed."""
        link = self.conversation.link
        before = link.routes[:1]
        if self._paths.sending != link.routes:
            link.use_routes(self._paths.sending)
        self._report_trials()
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
        return may_check(address, self._surroundings, self._peer_reflexive)

    def _where_the_peer_is(self) -> str | None:
        """Return the peer's host as far as we know it ourselves.

        What the peer says of itself would let it point us at private addresses. So
        with a relay outside it is not known, and private candidates have to be of our
        own networks; a relay on this machine has its clients here.
        """
        first = self.conversation.link.routes[0]
        if isinstance(first, DirectRoute):
            return first.address.host
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

    def _allowed(self, message: Candidates) -> list[tuple[Route, RouteKind]]:
        allowed: list[tuple[Route, RouteKind]] = []
        for candidate in message.list:
            if self._named >= 2 * MAX_CANDIDATES:  # a peer may name more for ever
                break
            try:
                address = Address.parse(candidate.address)
            except ValueError:
                continue
            self._named += 1
            self.report(
                Candidate(side="remote", type=candidate.type, address=str(address))
            )
            why_not = self._why_not(address)
            if why_not is None:
                kind: RouteKind = candidate.type
                if kind == "host" and is_public(address.host):
                    kind = "srflx"  # perhaps behind a firewall: opened like a NAT
                allowed.append((DirectRoute(address), kind))
            else:
                self._refused.append(f"{address} is a {why_not}")
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
                self.plan.nudge_relay()
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
