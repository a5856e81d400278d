"""A call's candidates: where we offer to be found, and what the peer names."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    MAX_CANDIDATES,
    MAX_CANDIDATES_OF_CALL,
    OPENER_TTLS_HOPS,
)
from wzp_cli.events import Candidate, Report
from wzp_cli.ports import FindInterfaces, PortMapping
from wzp_cli.protocol.messages.peer import CandidateInfo, CandidateType
from wzp_cli.protocol.reach import Surroundings, is_public, may_check
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.protocol.traversal.trial import RouteKind
from wzp_cli.services.relays.registration import Registration

__all__ = ["Candidacy", "RoutePlan"]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What a call's routes depend on.

    Attributes:
        direct: Offer and check direct routes at all; False is "always by relay".
        find_interfaces: Lists own addresses.
        home: Our relay; None in a call without one.
        port_mapping: A port of our router's; None: none was asked for.
    """

    direct: bool
    find_interfaces: FindInterfaces
    home: Registration | None = None
    port_mapping: PortMapping | None = None

    @property
    def reflexive(self) -> Address | None:
        """Our address as the relay sees it."""
        return None if self.home is None else self.home.reflexive

    @property
    def mapped(self) -> Address | None:
        """Where our router takes packets in for us, if it does."""
        return None if self.port_mapping is None else self.port_mapping.external

    @property
    def is_mapped(self) -> bool:
        """Whether that is where the relay sees us: no other NAT is in between."""
        mapped, reflexive = self.mapped, self.reflexive
        return mapped is not None and (
            reflexive is None or mapped.host == reflexive.host
        )

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
class Candidacy:
    """Both sides' candidates in one call, judged anew as more is known.

    Attributes:
        channel: What the relay's word about the peer belongs to: the route that the
            call began on, or the channel that replaced it.
        port: The one socket's.
        offered: Whether ours have been told to the peer.
        refused: What the peer has named and may not be checked, with the reason.
    """

    plan: RoutePlan
    channel: Route
    port: int
    report: Report
    offered: bool = False
    refused: dict[Address, str] = field(default_factory=dict)
    _own: list[CandidateInfo] = field(default_factory=list)
    _named: dict[Address, CandidateType] = field(default_factory=dict)
    _ever: set[Address] = field(default_factory=set)
    _seen_before: Address | None = None

    def __post_init__(self) -> None:
        self._surroundings = self._find_surroundings()

    # -- ours

    @property
    def own_addresses(self) -> list[Address]:
        """The one socket's own addresses."""
        return [Address(host, self.port) for host in self._surroundings.hosts]

    @property
    def has_moved(self) -> bool:
        """Whether ours are others now than those that were told."""
        return self._find_own() != self._own

    def offer(self) -> list[CandidateInfo]:
        """Return ours, and report those that are new; none by "always by relay"."""
        before, self._own = self._own, self._find_own() if self.plan.direct else []
        self.offered = True
        for new in self._own:
            if new not in before:
                self.report(Candidate(side="local", type=new.type, address=new.address))
        return self._own

    def look_around(self) -> bool:
        """Look at our interfaces again; return whether their addresses changed."""
        before, self._surroundings = self._surroundings, self._find_surroundings()
        return before.hosts != self._surroundings.hosts

    def _find_surroundings(self) -> Surroundings:
        interfaces = self.plan.find_interfaces()
        reflexive = self.plan.reflexive
        return Surroundings(
            hosts=frozenset(each.host for each in interfaces),
            networks=tuple(each.network for each in interfaces),
            reflexive=reflexive.host if reflexive is not None else None,
        )

    def _find_own(self) -> list[CandidateInfo]:
        hosts = [Address(each.host, self.port) for each in self.plan.find_interfaces()]
        found = [CandidateInfo(type="host", address=str(each)) for each in hosts]
        reflexive, mapped = self.plan.reflexive, self.plan.mapped
        if (
            reflexive is not None
            and not reflexive.is_tcp
            and reflexive not in (*hosts, mapped)
        ):
            found.insert(0, CandidateInfo(type="srflx", address=str(reflexive)))
        if mapped is not None and mapped not in hosts:
            found.insert(0, CandidateInfo(type="mapped", address=str(mapped)))
        return found[:MAX_CANDIDATES]

    # -- the peer's

    def take(self, candidates: Sequence[CandidateInfo]) -> None:
        """Take where the peer says it is now, in place of what it said before.

        A peer that moves says so again and again; in all, it may name so many
        addresses and no more, or it could show us the whole internet.
        """
        self._named.clear()
        for candidate in candidates:
            try:
                address = Address.parse(candidate.address)
            except ValueError:
                continue
            if address not in self._ever:
                if len(self._ever) >= MAX_CANDIDATES_OF_CALL:
                    continue
                self._ever.add(address)
                kind = candidate.type
                self.report(Candidate(side="remote", type=kind, address=str(address)))
            self._named[address] = candidate.type

    def allowed(self) -> list[tuple[Route, RouteKind]]:
        """Return what the peer has named and we may check, as far as we know now."""
        allowed: list[tuple[Route, RouteKind]] = []
        self.refused.clear()
        for address, kind in self._named.items():
            why_not = self.why_not(address)
            if why_not is not None:
                self.refused[address] = why_not
            elif kind == "host" and is_public(address.host):
                # Perhaps behind a firewall: opened like a NAT.
                allowed.append((DirectRoute(address), "srflx"))
            else:
                allowed.append((DirectRoute(address), kind))
        return allowed

    def confirmed(self) -> Address | None:
        """Return the peer's address that both it and the relay name, if they do."""
        seen = self._seen
        if seen is None or seen.is_v6 or self.why_not(seen) is not None:
            return None
        there = [each for each in self._named if each.host == seen.host]
        named = [each for each in there if self.why_not(each) is None]
        return seen if seen in named else next(iter(named), None)

    @property
    def shares_nat(self) -> bool:
        """Whether the relay sees both sides behind one public address."""
        ours, theirs = self.plan.reflexive, self._seen
        if ours is None or theirs is None or ours.host != theirs.host:
            return False
        return ours not in self.own_addresses

    def why_not(self, address: Address) -> str | None:
        """Say why no check may go to this address; None where one may."""
        return may_check(address, self._surroundings, self._where_the_peer_is())

    def _where_the_peer_is(self) -> str | None:
        """Return the peer's host as far as it is no word of the peer's.

        What the peer says of itself would let it point us at private addresses. Until
        the relay has told, private candidates have to be of our own networks; a relay
        on this machine has its clients here.
        """
        channel, seen = self.channel, self._seen
        if isinstance(channel, DirectRoute):
            return channel.address.host
        if seen is not None:
            return seen.host
        if channel.remote.is_tcp:  # perhaps a proxy on this machine
            return None
        return channel.remote.host if channel.remote.ip.is_loopback else None

    @property
    def _seen(self) -> Address | None:
        """Where the relay sees the peer; a new channel is told of a little later."""
        self._seen_before = self.plan.seen_at(self.channel) or self._seen_before
        return self._seen_before
