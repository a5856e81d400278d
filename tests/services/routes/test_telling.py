"""What is told of a call's routes, in order, and what is left for the end."""

from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults.paths import CHECK_GIVE_UP_S, ROUTE_DOUBT_S, ROUTE_GIVE_UP_S
from wzp_cli.events import Event, PathChanged, PathSelected, PathSpan, PathTried
from wzp_cli.protocol.traversal.paths import Paths
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.protocol.traversal.trial import State
from wzp_cli.services.routes.telling import PathTeller

RELAY = ChannelRoute(Address("20.0.0.1", 4433), b"A" * 8, b"B" * 8)
LAN = DirectRoute(Address("192.168.1.9", 5000))


@dataclass
class Call:
    """The routes of a call, told as they change, by a clock of its own."""

    at_s: float = 7.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths = Paths(True, RELAY, self.at_s)
        self.teller = PathTeller(self.paths, lambda: self.at_s, self.events.append)

    def run(self, seconds: float) -> None:
        """Let time go by in which nobody answers."""
        until = self.at_s + seconds
        while self.at_s < until:
            self.at_s = min(max(self.paths.due, self.at_s + 0.001), until)
            self.settle(self.paths.selected)

    def answer(self, route: Route) -> None:
        before = self.paths.selected
        self.paths.answered(route, 0.0421, self.at_s)
        self.settle(before)

    def settle(self, before: Route) -> None:
        self.paths.poll(self.at_s)
        self.teller.changed()
        if self.paths.selected != before:
            self.teller.moved(before)


def test_a_call_that_goes_direct_and_back() -> None:
    call = Call()
    assert call.events == [
        PathSelected(path="relay", remote="20.0.0.1:4433", rtt_ms=None)
    ]
    call.paths.add([(LAN, "host")], call.at_s)
    call.at_s += 0.5
    call.answer(LAN)
    tried, changed = call.events[1:]
    assert isinstance(tried, PathTried)
    assert (tried.address, tried.answered, tried.reason) == (str(LAN), True, None)
    assert changed == PathChanged(
        path="direct",
        remote="192.168.1.9:5000",
        reason="a better route was found",
        rtt_ms=42.1,
    )
    assert call.teller.time_to_direct_ms == 500.0

    call.events.clear()
    for _ in range(30):
        call.run(ROUTE_DOUBT_S / 2)
        call.answer(RELAY)
        if not call.paths.is_direct:
            break
    assert call.at_s > 7.5 + ROUTE_GIVE_UP_S
    lost, back = call.events
    assert isinstance(lost, PathTried)
    assert (lost.answered, lost.reason) == (False, "no answer")
    assert isinstance(back, PathChanged)
    assert (back.path, back.reason) == ("relay", "192.168.1.9:5000 no longer answers")
    first, second, third = call.teller.spans
    assert (first, second) == (
        PathSpan(path="relay", from_ms=0.0),
        PathSpan(path="direct", from_ms=500.0),
    )
    assert third.path == "relay"
    assert call.teller.time_to_direct_ms == 500.0


def test_each_change_is_told_once_and_proving_is_none() -> None:
    call = Call()
    call.paths.add([(LAN, "host")], call.at_s)
    call.answer(LAN)
    assert {trial.route for trial in call.teller.changed()} == set()
    trial = call.paths.trials[LAN]
    trial.state = State.PROVING
    assert call.teller.changed() == []
    trial.state = State.DOUBTED
    assert call.teller.changed() == [trial]


def test_what_was_tried_in_words() -> None:
    call = Call()
    assert call.teller.what_was_tried({}) == "the peer named no address"
    refused = {Address("10.0.0.1", 5000): "private address of another network"}
    assert call.teller.what_was_tried(refused) == (
        "no address to try: 10.0.0.1:5000 is a private address of another network"
    )
    call.paths.add([(LAN, "host")], call.at_s)
    call.run(CHECK_GIVE_UP_S)
    assert call.teller.what_was_tried(refused) == (
        "no answer from 192.168.1.9:5000 in 4.0 s"
    )
