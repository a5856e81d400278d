"""A call between two real sides, in any order of what people and networks do.

Somebody calls, answers, declines, lets it ring, withdraws, holds, mutes, hangs up; a
third one calls meanwhile; networks fail for a while, routers forget, messages come that
belong to another moment. After each step the rules of CALL hold, and in the end nothing
is left of any call.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from tests.support.depth import depth
from tests.support.stage import Stage
from tests.support.world import RELAY_HOST, Doing, Person, RelayAtWork, World
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import ConnectionLost, LocalProtocolError, NetworkError, PeerError
from wzp_cli.events import Answered, Hangup, Incoming, MediaStarted
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.messages.signal import Message, encode
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.talk import CallOutcome

_SETTLE_S: Final = 0.25
_RING_S: Final = 20.0
_LONG_S: Final = 75.0
"""Longer than ringing, silence and every farewell together."""

_CANDIDATES = peer.Candidates(ufrag="abcd", pwd="x" * 24, list=[])
_LATE: tuple[Message, ...] = (
    peer.Ringing(call="another"),
    peer.Answer(call="another", media="counting"),
    peer.Answer(call="another", media="nobody has it"),
    peer.Decline(call="another", reason="declined"),
    peer.Cancel(call="another", reason="cancelled"),
    peer.Offer(call="another", media=["counting"]),
    peer.Hold(on=True),
    peer.Hold(on=False),
    peer.Goodbye(reason="early"),
    peer.Opened(),
    peer.Relayed(address="20.0.0.9:50000"),
    peer.Searching(sockets=256, samples=(1, 2, 3), step=1),
    peer.Probe(call="another"),
    peer.ProbeTaken(call="another", direct=True),
    peer.Hello(version="9"),
    peer.Quality(
        loss_pct=50, jitter_ms=9, concealed_ms=0, buffer_ms=9, expected=9, lost=9
    ),
    _CANDIDATES,
)


class _Cast:
    """Who is there, and what is asked of the one who is called."""

    def __init__(self, relay: RelayAtWork, *people: Person) -> None:
        self.relay = relay
        self.alice, self.bob, self.carol = self.people = people
        self.asked: list[asyncio.Future[bool]] = []
        self.controls: list[CallControls] = []
        self.tasks = 0

    async def ask(self, _: Incoming) -> bool:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    @property
    def rings(self) -> bool:
        """Whether the callee is being asked."""
        return any(not each.done() for each in self.asked)


async def _build(world: World) -> _Cast:
    relay = await world.relay()
    people = [await world.person(name) for name in ("alice", "bob", "carol")]
    cast = _Cast(relay, *people)
    cast.bob.listen(cast.ask, ring_timeout_s=_RING_S, on_controls=cast.controls.append)
    await asyncio.sleep(1)
    cast.tasks = len(asyncio.all_tasks())
    return cast


class CallRules(RuleBasedStateMachine):
    """Calls of alice's and carol's to bob, one after the other and at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(_build)
        self.cast = self.stage.cast
        self.calls: list[tuple[Person, Doing[CallOutcome]]] = []
        self.cut: list[tuple[str, str]] = []

    # -- what people do

    @precondition(lambda self: not self._calling(self.cast.alice))
    @rule(ring_s=st.sampled_from([5.0, 45.0]))
    def alice_calls(self, ring_s: float) -> None:
        self._call(self.cast.alice, ring_s)

    @precondition(lambda self: not self._calling(self.cast.carol))
    @rule()
    def carol_calls(self) -> None:
        self._call(self.cast.carol, 5.0)

    @precondition(lambda self: self.cast.rings)
    @rule(yes=st.sampled_from([True, True, True, False]))
    def bob_is_asked(self, yes: bool) -> None:
        self._answer(yes)

    @precondition(lambda self: not self._under_way())
    @rule(seconds=st.sampled_from([0.0, 1.0]))
    def they_talk(self, seconds: float) -> None:
        """The usual way to a call, in one step: else few examples have one."""
        self._call(self.cast.alice, 45.0)
        if self.cast.rings:
            self._answer(True)
            self._pass(seconds)

    @precondition(lambda self: self._under_way())
    @rule()
    def caller_gives_up(self) -> None:
        """Ctrl-C: withdraws while it rings, hangs up afterwards."""
        self.stage.run(self._under_way()[-1][1].stop())
        self._pass(_SETTLE_S)

    @precondition(lambda self: self.cast.controls)
    @rule(
        which=st.integers(0, 3),
        does=st.sampled_from(["hang_up", "hold", "unhold", "mute"]),
    )
    def somebody_presses_a_key(self, which: int, does: str) -> None:
        """Of a call that may be over already."""
        controls = self.cast.controls[-1 - which % len(self.cast.controls)]
        doings: dict[str, Callable[[], None]] = {
            "hang_up": controls.hang_up,
            "hold": lambda: controls.hold(True),
            "unhold": lambda: controls.hold(False),
            "mute": controls.mute,
        }
        self.stage.enter()
        doings[does]()
        self.stage.leave()
        self._pass(_SETTLE_S)

    # -- what networks do

    @rule(seconds=st.sampled_from([0.02, 0.5, 2.0, 6.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(
        who=st.integers(0, 1),
        others=st.sampled_from(["relay", "peer", "both"]),
        seconds=st.sampled_from([0.0, 0.1, 1.0, 4.0, 15.0]),
    )
    def network_fails(self, who: int, others: str, seconds: float) -> None:
        """For so long; 0: until it fails the next time, or the end."""
        self._mend()
        person = (self.cast.alice, self.cast.bob)[who]
        if others in ("relay", "both"):
            self._cut(person.public_host, RELAY_HOST)
        if others in ("peer", "both"):
            self._cut(self.cast.alice.public_host, self.cast.bob.public_host)
        self._pass(seconds or _SETTLE_S)
        if seconds:
            self._mend()

    @rule(who=st.integers(0, 1))
    def router_forgets(self, who: int) -> None:
        nat = (self.cast.alice, self.cast.bob)[who].nat
        assert nat is not None
        nat.rebind()
        self._pass(_SETTLE_S)

    @precondition(lambda self: self._peer_links())
    @rule(message=st.sampled_from(_LATE), which=st.integers(0, 3))
    def message_comes_at_the_wrong_time(self, message: Message, which: int) -> None:
        links = self._peer_links()
        link = links[which % len(links)]
        self.stage.enter()
        # Not far enough to say anything, or just over: then it did not come.
        with suppress(ConnectionLost, LocalProtocolError):
            link.send(encode(message))
        self.stage.leave()
        self._pass(_SETTLE_S)

    @precondition(lambda self: self._peer_links())
    @rule(which=st.integers(0, 3))
    def link_is_lost(self, which: int) -> None:
        """One side's process is killed, as far as the other can tell."""
        links = self._peer_links()
        self.stage.enter()
        links[which % len(links)].abort("killed")
        self.stage.leave()
        self._pass(_SETTLE_S)

    # -- what holds

    @invariant()
    def sound_begins_with_the_answer(self) -> None:
        for person in self.cast.people:
            answered = len(person.all(Answered))
            assert len(person.sounds) <= answered
            assert len(person.all(MediaStarted)) <= answered
            assert len(person.outcomes) <= len(person.sounds)

    @invariant()
    def nobody_talks_to_two(self) -> None:
        bob = self.cast.bob
        assert len(bob.sounds) - len(bob.outcomes) <= 1
        for person in self.cast.people:
            links = [link for link in person.endpoint.links if _is_peer(link)]
            talks = [link for link in links if link._datagram_sink is not None]
            assert len(talks) <= 1 + (person is bob)  # the last one may still say bye

    @invariant()
    def each_end_is_known(self) -> None:
        for _, call in self.calls:
            if call.done:
                self._judge(call)
        for person in self.cast.people:
            for outcome in person.outcomes:
                assert outcome.end.by in ("local", "peer", "network")
                assert outcome.end.reason
                assert outcome.end.reason.isprintable()
            assert all(event.reason for event in person.all(Hangup))

    def teardown(self) -> None:
        """Everybody hangs up; the network is good again; nothing is left."""
        try:
            self._mend()
            event(f"{len(self.cast.bob.all(Answered))} calls answered")
            event(f"{len(self.calls)} calls made")
            for outcome in self.cast.bob.outcomes:
                event(f"{outcome.end.by}: {outcome.end.reason}")
            for _, call in self.calls:
                event(f"the caller hears {type(call._error).__name__}")
            for _, call in self._under_way():
                self.stage.run(call.stop())
            self._pass(_LONG_S)
            self._nothing_is_left()
        finally:
            self.stage.close()

    def _nothing_is_left(self) -> None:
        assert not self.cast.rings
        for person in self.cast.people:
            endpoint = person.endpoint
            assert not [link for link in endpoint.links if _is_peer(link)]
            assert endpoint._channels == {}
            assert endpoint._checks == {}
            assert endpoint.spares == 0
            assert len(endpoint._transactions) == 0
            assert len(person.sounds) == len(person.outcomes)
        left = self.cast.relay.left
        assert left["channels"] == left["charged"] == left["reserved"] == 0, left
        tasks = asyncio.all_tasks(self.stage.loop)
        assert len(tasks) == self.cast.tasks, tasks

    # -- inside

    def _call(self, caller: Person, ring_s: float) -> None:
        async def begin() -> None:
            call = caller.calls(
                self.cast.bob,
                ring_timeout_s=ring_s,
                on_controls=self.cast.controls.append,
            )
            self.calls.append((caller, call))

        self.stage.run(begin())
        self._pass(_SETTLE_S)

    def _under_way(self) -> list[tuple[Person, Doing[CallOutcome]]]:
        return [each for each in self.calls if not each[1].done]

    def _calling(self, caller: Person) -> bool:
        return any(person is caller for person, _ in self._under_way())

    def _judge(self, call: Doing[CallOutcome]) -> None:
        """An end is an outcome, an error that usage.md names, or our own Ctrl-C."""
        if call._task.cancelled() or call._error is None:
            return
        assert isinstance(call._error, PeerError | NetworkError), call._error

    def _peer_links(self) -> list[Link]:
        links = [
            link
            for person in self.cast.people
            for link in person.endpoint.links
            if _is_peer(link) and link.complete
        ]
        return sorted(links, key=lambda link: str(link._virtual))

    def _answer(self, yes: bool) -> None:
        next(each for each in self.cast.asked if not each.done()).set_result(yes)
        self._pass(_SETTLE_S)

    def _cut(self, one: str, other: str) -> None:
        self.stage.world.net.cut(one, other)
        self.cut.append((one, other))

    def _mend(self) -> None:
        while self.cut:
            self.stage.world.net.mend(*self.cut.pop())

    def _pass(self, seconds: float) -> None:
        self.stage.pass_time(seconds)


def _is_peer(link: Link) -> bool:
    return link._virtual is not None


TestCallRules = CallRules.TestCase
TestCallRules.settings = depth(examples=8, steps=12)
