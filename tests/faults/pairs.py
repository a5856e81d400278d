"""Pairs of a caller and a listener, each on the way to the state that it fails in.

All pairs of a test live at the same time, so that the silence after which a call is
given up has to be waited for once.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Event, Processes, Program, User

__all__ = [
    *("LASTING", "PASSING", "REACHED_S", "SILENCE_S", "STATES"),
    *("Pair", "Relay", "Stage", "ended", "hung_up", "listen"),
]

SOUND = ("--in", "tone", "--out", "null")
PASSING = ("answered", "ending")
"""States of a call that are over by themselves in a moment."""
LASTING = ("ringing", "direct", "relayed")
STATES = {
    "caller": ("registering", *PASSING, *LASTING),
    "listener": ("registering", "waiting", *PASSING, *LASTING),
    "relay": ("registering", "ending", *LASTING),
}
"""In which each is killed."""
SILENCE_S = 25.0
"""After 10 s of it a call is given up; the machine may be busy."""
REACHED_S = 40.0
"""Two dozen programs are started at once."""


@dataclass
class Relay:
    """A relay, which may be started again at its place."""

    user: User
    program: Program
    at: str

    def restart(self) -> None:
        self.program = self.user.start("relay", "--listen", self.at)
        self.program.wait_for("relay.ready")

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Stop it for as long as the block: it gets what is sent, and reads nothing."""
        self.program.send(signal.SIGSTOP)
        yield
        self.program.send(signal.SIGCONT)

    def await_unread(self, before: int) -> int:
        """Return how many bytes it has yet to read, once they are more than before."""
        deadline = time.monotonic() + REACHED_S
        while (unread := self._unread()) <= before:
            assert time.monotonic() < deadline, "nothing came"
            time.sleep(0.01)
        return unread

    def _unread(self) -> int:
        port = f":{int(self.at.rpartition(':')[2]):04X}"
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            _, local, _, _, queues, *_ = line.split()
            if local.endswith(port):
                return int(queues.partition(":")[2], 16)
        raise AssertionError(f"nobody is at {self.at}")


@dataclass
class Pair:
    """Who calls whom, and the state in which one of them, or the relay, fails."""

    state: str
    caller_user: User
    listener_user: User
    relay: Relay
    callee: str
    listener: Program = field(init=False)
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

    def pair(self, relay: Relay, state: str, *, name: str) -> Pair:
        """Return two who do nothing yet."""
        keeps = {"WZP_PRIVACY": "always-relay"} if state == "relayed" else {}
        caller, listener = (
            self._processes.user(f"{name}-{state}-{side}", **keeps)
            for side in ("caller", "listener")
        )
        return Pair(state, caller, listener, relay, callee=listener.id)

    def pairs(self, relay: Relay, *states: str, name: str) -> list[Pair]:
        """Start a listener for each state; return when all take calls."""
        made = [self.pair(relay, state, name=name) for state in states]
        listen(made)
        return made


def listen(pairs: Sequence[Pair]) -> None:
    """Have all of them listen; return when they take calls."""
    for pair in pairs:
        pair.listen()
    for pair in pairs:
        pair.listener.wait_for("ready", REACHED_S)


def ended(program: Program) -> Event:
    """Wait for its end, which may come after the silence."""
    return program.wait_end(SILENCE_S)


def hung_up(listener: Program, state: str) -> Event:
    """Wait until a call in this state has ended at the listener."""
    told = listener.wait_for("hangup", SILENCE_S)
    if state == "ringing":
        listener.wait_for("missed", reason="withdrawn")
    return told
