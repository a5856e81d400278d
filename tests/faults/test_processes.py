"""kill -9 and SIGSTOP of a caller, a listener and a relay, at each state of a call.

All pairs live at the same time, so that the silence after which a call is given up has
to be waited for once. What is left is looked for at the end: links and channels at the
relay, files, and whether the next call works. WZP_TESTS_FAULTS=all tries every state,
without it those that differ most.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.matrix import row
from tests.support.processes import Event, Processes, Program, User

SOUND = ("--in", "tone", "--out", "null")
SILENCE_S = 25.0
"""After 10 s of it a call is given up; the machine may be busy."""
REACHED_S = 40.0
"""A dozen programs are started at once."""
FORGOTTEN_S = 60.0
RELAY_BACK_S = 45.0
EVERYTHING = os.environ.get("WZP_TESTS_FAULTS") == "all"
STATES = ("ringing", "answered", "direct", "relayed", "ending")
SOME = ("caller-ringing", "caller-relayed", "listener-answered", "listener-direct")
KILLS = [
    "caller-registering",
    *(
        name
        for who in ("caller", "listener")
        for state in STATES
        if (name := f"{who}-{state}") in SOME or EVERYTHING
    ),
]


@dataclass
class Relay:
    """A relay, which may be started again at its place."""

    user: User
    program: Program
    at: str

    def restart(self) -> None:
        self.program = self.user.start("relay", "--listen", self.at)
        self.program.wait_for("relay.ready")


@dataclass
class Pair:
    """Who calls whom, and how it ended for each."""

    state: str
    caller_user: User
    listener_user: User
    relay: Relay
    listener: Program
    callee: str = ""
    caller: Program = field(init=False)

    def listen(self) -> None:
        rings = self.state == "ringing"
        answers = () if rings else ("--auto-answer", "all")
        self.listener = self.listener_user.start(
            "listen", "--relay", self.relay.at, *answers, *SOUND
        )

    def call(self) -> None:
        lasts = "1s" if self.state == "ending" else "60s"
        self.caller = self.caller_user.start(
            "call", self.callee, "--relay", self.relay.at, *SOUND, "--duration", lasts
        )

    def reach(self, who: str) -> None:
        """Return when the call is in the state in which `who` shall fail."""
        one = self.listener if who == "listener" else self.caller
        match self.state:
            case "registering":
                one.wait_for("bound", REACHED_S)
            case "ringing":
                self.caller.wait_for("ringing", REACHED_S)
                self.listener.wait_for("incoming", REACHED_S)
            case "answered":
                one.wait_for("answered", REACHED_S)
            case "direct":
                for side in (self.caller, self.listener):
                    side.wait_for("path.changed", REACHED_S, path="direct")
                    side.wait_for("stats", REACHED_S)
            case "relayed":
                for side in (self.caller, self.listener):
                    side.wait_for("stats", REACHED_S, path="relay")
            case "ending":
                self.caller.wait_for("hangup", REACHED_S)

    def next_call(self) -> Program:
        """Call once more, from and to where one of them has failed."""
        return self.caller_user.start(
            *("call", self.callee, "--relay", self.relay.at),
            *(*SOUND, "--duration", "1s"),
        )


class Stage:
    """Relays and pairs of one test."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def relay(self, name: str) -> Relay:
        user = self._processes.user(name)
        program = user.start("relay", "--listen", "127.0.0.1:0")
        port = program.wait_for("relay.ready")["port"]
        return Relay(user, program, f"127.0.0.1:{port}")

    def pairs(self, relay: Relay, *states: str, name: str) -> list[Pair]:
        """Start a listener for each state; return when all take calls."""
        made = []
        for state in states:
            keeps = {"WZP_PRIVACY": "always-relay"} if state == "relayed" else {}
            users = [
                self._processes.user(f"{name}-{state}-{side}", **keeps)
                for side in ("caller", "listener")
            ]
            callee = users[1].id
            pair = Pair(state, users[0], users[1], relay, listener=None, callee=callee)  # type: ignore[arg-type]
            pair.listen()
            made.append(pair)
        for pair in made:
            pair.listener.wait_for("ready", REACHED_S)
        return made


def _is_heard(path: Path) -> bool:
    """Whether a process is behind a control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Processes(tmp_path) as processes:
        yield Stage(processes)


def ended(program: Program) -> Event:
    return program.wait_end(SILENCE_S)


def hung_up(listener: Program, state: str) -> Event:
    told = listener.wait_for("hangup", SILENCE_S)
    if state == "ringing":
        listener.wait_for("missed", reason="withdrawn")
    return told


def test_a_caller_or_a_listener_that_is_killed(stage: Stage, tmp_path: Path) -> None:
    relay = stage.relay("relay")
    killed = {}
    for who in ("caller", "listener"):
        states = [each.partition("-")[2] for each in KILLS if each.startswith(who)]
        for pair in stage.pairs(relay, *states, name=who):
            killed[f"{who}-{pair.state}"] = (who, pair)
    for who, pair in killed.values():
        pair.call()
        pair.reach(who)
        (pair.caller if who == "caller" else pair.listener).kill()

    for name, (who, pair) in killed.items():
        expected = row(f"kill-{name}").exit
        if who == "listener":
            end = ended(pair.caller)
            assert end["exit"] == expected, (name, pair.caller.transcript())
            if expected:
                error = pair.caller.all("error", code="connection_lost")[0]
                assert error["message"] == "the peer is gone: it fell silent"
        else:
            assert expected is None
            if pair.state != "registering":
                told = hung_up(pair.listener, pair.state)
                said = pair.state == "ending"
                assert told["by"] == ("peer" if said else "network"), (name, told)
            assert not pair.listener.all("error"), name

    # Each state directory serves again, and each listener that was left takes calls.
    for who, pair in killed.values():
        if pair.state == "ringing" and who == "caller":
            pair.listener.terminate()
            pair.listener.wait_end()
        if who == "listener" or pair.state == "ringing":
            pair.state = "again"
            pair.listen()
            pair.listener.wait_for("ready", REACHED_S)
    again = {name: pair.next_call() for name, (_, pair) in killed.items()}
    for name, calling in again.items():
        assert calling.wait_end()["exit"] == 0, (name, calling.transcript())
    for _, pair in killed.values():
        pair.listener.wait_for("hangup", reason="time is up", by="peer")

    relay.program.wait_for(*("relay.stats", FORGOTTEN_S), links=len(killed), channels=0)
    assert not relay.program.all("warning")
    unread = [path for path in tmp_path.rglob("control/socket") if not _is_heard(path)]
    assert not unread


@pytest.mark.skipif(
    not EVERYTHING, reason="WZP_TESTS_FAULTS=all; the laboratory's mishaps have most"
)
def test_a_relay_that_is_killed(stage: Stage) -> None:
    relay = stage.relay("relay")
    states = ("ringing", "relayed", "direct", "ending")
    pairs = {pair.state: pair for pair in stage.pairs(relay, *states, name="call")}
    for pair in pairs.values():
        pair.call()
        pair.reach("relay")
    (late,) = stage.pairs(relay, "registering", name="late")
    late.call()
    late.reach("caller")
    relay.program.kill()

    for state in set(states) - {"direct"}:
        expected = row(f"kill-relay-{state}").ends
        assert ended(pairs[state].caller)["exit"] == expected, state
        assert hung_up(pairs[state].listener, state)["by"] in ("network", "peer")
    assert late.caller.wait_end(SILENCE_S)["exit"] == row("kill-relay-registering").ends
    direct = pairs["direct"]
    relay.restart()
    for pair in (*pairs.values(), late):
        pair.listener.wait_for("registered", published=True)
        pair.listener.wait_for("registered", RELAY_BACK_S, published=True)
    assert not direct.listener.all("hangup")
    direct.caller.send(signal.SIGINT)
    assert direct.caller.wait_end()["exit"] == 130
    hung_up(direct.listener, "direct")
    again = [pair.next_call() for pair in (direct, pairs["relayed"], late)]
    for calling in again:
        assert calling.wait_end()["exit"] == 0, calling.transcript()


def test_who_is_stopped_for_a_while(stage: Stage) -> None:
    """First for 3 s, which all calls live through; then for longer than they can."""
    home, away = stage.relay("relay"), stage.relay("stopped")
    here = stage.pairs(home, "direct", "relayed", name="here")
    there = stage.pairs(away, "direct", "relayed", name="there")
    for pair in (*here, *there):
        pair.call()
        pair.reach("relay")
    sides = [here[0].caller, here[1].listener, away.program]
    for seconds in (3.0, 13.0):
        for side in sides:
            side.send(signal.SIGSTOP)
        time.sleep(seconds)
        for side in sides:
            side.send(signal.SIGCONT)
        if seconds > 10:
            break
        assert row("stop-short").exit is None
        for pair in (*here, *there):
            for program in (pair.caller, pair.listener):
                program.wait_for("stats")
                assert not program.all("hangup")

    for caller in (here[0].caller, here[1].caller):
        assert ended(caller)["exit"] == row("stop-long").ends
        assert caller.all("hangup", by="network")
    for listener in (here[0].listener, here[1].listener):
        listener.wait_for("hangup", SILENCE_S, by="network")
    direct, relayed = there
    assert ended(relayed.caller)["exit"] == row("stop-relay").ends
    relayed.listener.wait_for("hangup", SILENCE_S, by="network")
    assert not direct.caller.all("hangup") + direct.listener.all("hangup")
    direct.caller.send(signal.SIGINT)
    direct.listener.wait_for("hangup", by="peer")
    again = [pair.next_call() for pair in (*here, *there)]
    for calling in again:
        assert calling.wait_end()["exit"] == 0, calling.transcript()
    for relay in (home, away):
        relay.program.wait_for("relay.stats", links=2, channels=0)
