"""The direct upgrade of an answered call: the shell around protocol/traversal/."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import SURROUNDINGS_INTERVAL_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun.checks import CheckKey
from wzp_cli.events import PathName, PathSpan, Report
from wzp_cli.protocol.messages.peer import (
    Candidates,
    Nat,
    Opened,
    Relayed,
    Searching,
)
from wzp_cli.protocol.traversal.paths import Check, Paths
from wzp_cli.protocol.traversal.route import ChannelRoute, Route, TurnRoute
from wzp_cli.protocol.traversal.trial import State
from wzp_cli.services.conversation import Conversation
from wzp_cli.services.routes.candidates import Candidacy, RoutePlan
from wzp_cli.services.routes.channel import CallChannel
from wzp_cli.services.routes.facts import nat_of
from wzp_cli.services.routes.measure import measure_nat
from wzp_cli.services.routes.search import Searcher
from wzp_cli.services.routes.telling import PathTeller
from wzp_cli.services.routes.turn import CallTurn

__all__ = ["RouteTaker"]


@dataclass
class RouteTaker:
    """Finds routes for one call and moves its link to the best."""

    endpoint: Endpoint
    conversation: Conversation
    plan: RoutePlan
    report: Report

    def __post_init__(self) -> None:
        link = self.conversation.link
        self._session = self.endpoint.open_checks()
        self._session.on_answer = self._answered
        self._session.on_request = self._checked
        self._session.allows = self._may_use
        self._paths = Paths(
            link.dialled, link.routes[0], self.endpoint.now(), self.plan.opener_ttls
        )
        self._teller = PathTeller(self._paths, self.endpoint.now, self.report)
        self._wake = asyncio.Event()
        self._peer_direct = True
        self._since = self.endpoint.now()
        self._candidacy = Candidacy(
            self.plan, self._paths.first, self.endpoint.local.port, self.report
        )
        self._nat: Nat | None = None
        self._elsewhere = asyncio.Event()
        self._reflexive = self.plan.reflexive
        self._channel = self._make_channel()
        self._turn = self._make_turn()
        self._searcher = self._make_searcher()
        link.on_stray = self._strayed
        if self.plan.home is not None:
            self.plan.home.watchers.add(self._relay_told)
        if self.plan.port_mapping is not None:
            self.plan.port_mapping.watchers.add(self._moved)

    @property
    def path(self) -> PathName:
        """Which path media takes now."""
        return self._teller.path

    @property
    def spans(self) -> list[PathSpan]:
        """Which path media used since when, in milliseconds from the answer."""
        return self._teller.spans

    @property
    def time_to_direct_ms(self) -> float | None:
        """When media first went direct."""
        return self._teller.time_to_direct_ms

    @property
    def remote(self) -> str:
        """Where media goes now."""
        return self._teller.remote

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
        if not self._candidacy.offered:
            self._reveal()
        own = self._candidacy.offer()
        key = self._session.local
        self.conversation.try_to_say(
            Candidates(ufrag=key.ufrag, pwd=key.password, list=own, nat=self._nat)
        )

    def take(self, message: Candidates | Opened | Searching | Relayed) -> None:
        """Take what the peer says of its routes."""
        match message:
            case Candidates():
                self._take_candidates(message)
            case Opened():
                self._paths.peer_opened(self.endpoint.now())
            case Searching():
                self._searcher.take(message)
            case Relayed():
                if self._turn is not None:
                    self._turn.take(message)
        self._wake.set()

    async def run(self) -> None:
        """Check, probe, search and move the link, until cancelled."""
        async with task_group() as group:
            group.create_task(self._check())
            if self._channel is not None:
                group.create_task(self._channel.run())
            if self._turn is not None:
                group.create_task(self._turn.run())
            if self.plan.direct:
                group.create_task(self._search())
                group.create_task(self._watch_surroundings())

    def be_thrifty(self, thrifty: bool) -> None:
        """Leave a narrow link to the sound: probe less often."""
        self._paths.thrifty = thrifty

    def close(self) -> None:
        """Answer no more checks."""
        self.endpoint.close_checks(self._session)
        self._searcher.close()
        if self._channel is not None:
            self._channel.close()
        self.conversation.link.on_stray = None
        if self.plan.home is not None:
            self.plan.home.watchers.discard(self._relay_told)
        if self.plan.port_mapping is not None:
            self.plan.port_mapping.watchers.discard(self._moved)

    @property
    def why_not_direct(self) -> str | None:
        """Why media never went direct, in a few words; None when it did."""
        if self.time_to_direct_ms is not None:
            return None
        if not self.plan.direct:
            return "this side keeps to the relay"
        if not self._peer_direct:
            return "the peer keeps to the relay"
        shared = None
        if self._candidacy.shares_nat:
            shared = "both sides are behind one NAT that does not lead back inside"
        tried = self._teller.what_was_tried(self._candidacy.refused)
        return "; ".join(filter(None, (shared, self._searcher.reason, tried)))

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
        """Do our part of the search; from the start where this machine has moved."""
        while True:
            self._elsewhere.clear()
            async with task_group() as group:
                searching = group.create_task(self._search_here())
                await self._elsewhere.wait()
                searching.cancel()

    async def _search_here(self) -> None:
        """Measure, tell the peer what we know, and do our part of the search."""
        home = self.plan.home
        if home is None or not home.is_up:
            return
        own = self._candidacy.own_addresses
        ours = await measure_nat(self.endpoint, home.address, home.extra_ports, own)
        if self.plan.is_mapped:
            ours = replace(ours, facts=replace(ours.facts, port_mapped=True))
        self._nat = nat_of(ours.facts)
        self.offer()
        await self._searcher.run(ours)

    async def _watch_surroundings(self) -> None:
        """Offer what is new when this machine changes its network."""
        while True:
            await asyncio.sleep(SURROUNDINGS_INTERVAL_S)
            if self._candidacy.look_around():
                self._elsewhere.set()
                self._nudge()
                self._moved()

    def _relay_told(self) -> None:
        """Our address from outside, or the peer's, has changed."""
        before, self._reflexive = self._reflexive, self.plan.reflexive
        if before and self._reflexive and before.host != self._reflexive.host:
            self._elsewhere.set()
        self._paths.opener_ttls = self.plan.opener_ttls
        self._candidacy.look_around()
        self._moved()
        self._searcher.look()

    def _moved(self) -> None:
        """Say where we are now, and look again at where the peer says it is."""
        if not self.plan.direct or not self._candidacy.offered:
            return
        if self._candidacy.has_moved:
            self.offer()
        self._paths.add(self._candidacy.allowed(), self.endpoint.now())
        self._wake.set()

    def _nudge(self) -> None:
        if self.plan.home is not None:
            self.plan.home.nudge()

    def _reveal(self) -> None:
        """Let the relay confirm to the peer where we are."""
        if self.plan.direct and self._channel is not None:
            self._channel.home.reveal(self._channel.current)

    def _make_channel(self) -> CallChannel | None:
        first, home, link = self._paths.first, self.plan.home, self.conversation.link
        if home is None or not isinstance(first, ChannelRoute):
            return None
        return CallChannel(
            home,
            link.identity,
            first,
            link.dialled,
            self._channel_opened,
            self._paths.drop,
        )

    def _make_turn(self) -> CallTurn | None:
        channel, home = self._channel, self.plan.home
        if channel is None or home is None:
            return None
        return CallTurn(
            self.endpoint,
            home,
            lambda: channel.current,
            self.conversation.try_to_say,
            self._turn_opened,
            self.report,
        )

    def _turn_opened(self, route: TurnRoute) -> None:
        self._paths.add([(route, "relayed")], self.endpoint.now())
        self._wake.set()

    def _channel_opened(self, route: ChannelRoute) -> None:
        self._paths.add([(route, "relay")], self.endpoint.now())
        self._wake.set()

    def _make_searcher(self) -> Searcher:
        home, link = self.plan.home, self.conversation.link
        return Searcher(
            self.endpoint,
            self._session,
            self._paths,
            self.conversation.try_to_say,
            self.report,
            home.address if home is not None and home.is_up else None,
            self._candidacy.confirmed,
            lambda: link.smoothed_rtt_s,
        )

    def _poll(self) -> None:
        now = self.endpoint.now()
        link = self.conversation.link
        if len(link.routes) == 1 and link.arrived_sent_at > self._since:
            self._paths.carried(link.routes[0], link.arrived_sent_at)
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
        if trial.is_relay or trial.answered_at is not None:
            return True
        return self.endpoint.spray.take_check(check.route.remote.host, now)

    def _settle(self) -> None:
        """Move the link where the rules say, and report what changed."""
        link = self.conversation.link
        before = link.routes[:1]
        if self._paths.sending != link.routes:
            link.use_routes(self._paths.sending)
            self._since = self.endpoint.now()
        for trial in self._teller.changed():
            lost = trial.state in (State.DOUBTED, State.FAILED)
            if lost and (trial.is_relay or trial.route == self._paths.selected):
                self._nudge()
        self._searcher.look()
        if before != (self._paths.selected,):
            self._teller.moved(before[0] if before else None)

    def _answered(self, route: Route, rtt_s: float, _mapped: Address | None) -> None:
        self._paths.answered(route, rtt_s, self.endpoint.now())
        if self._channel is not None and self._channel.answered(route):
            self._candidacy.channel = self._channel.current
            self._reveal()
        self._wake.set()

    def _checked(self, route: Route, nominates: bool) -> None:
        if self._channel is not None and isinstance(route, ChannelRoute):
            self._channel.take(route)
        self._paths.checked(route, nominates=nominates, now=self.endpoint.now())
        self._wake.set()

    def _strayed(self, route: Route) -> None:
        if self._may_use(route):
            self._paths.strayed(route, self.endpoint.now())
            self._wake.set()

    def _may_use(self, route: Route) -> bool:
        if isinstance(route, ChannelRoute):
            taken = self._channel is not None and self._channel.may_take(route)
            return taken or route in self._paths.trials
        if isinstance(route, TurnRoute):
            return route in self._paths.trials
        return self.plan.direct and self._candidacy.why_not(route.address) is None

    def _take_candidates(self, message: Candidates) -> None:
        self._session.remote = CheckKey(message.ufrag, message.pwd)
        self._peer_direct = bool(message.list)
        if not self.plan.direct:
            return
        self._candidacy.take(message.list)
        self._paths.add(self._candidacy.allowed(), self.endpoint.now())
        if message.nat is not None:
            self._searcher.take_facts(message.nat)
        self._searcher.look()
