"""wzp as its users run it: separate processes inside a laboratory's hosts.

    stage = Stage(make_lab("masquerade-drop", "carrier"), tmp_path)
    relay = stage.relay()
    listener = stage.listen("b", "--in", "tone", "--out", "null")
    caller = stage.call("a", "b", "--in", "tone", "--out", "null")
    caller.wait_for("path.changed", path="direct")

A program's events are read as they come, each wait has a deadline, and a wait that
fails shows what the program has said.
"""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.netlab.lab import Host, Lab
from tests.support.forked import Forked

__all__ = ["Answer", "Event", "Program", "Stage", "Wzp"]

Event = dict[str, Any]

_EVENT_WAIT_S: Final = 15.0
"""How long an event may take to come, on a busy machine."""
_RUN_WAIT_S: Final = 30.0
_LAST_EVENTS_SHOWN: Final = 40


class Program:
    """A running `wzp ... --json` that tells events; the lab ends it at the latest."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, talk: Path) -> None:
        self._process = process
        self._talk = talk
        self._events: list[Event] = []
        self._returned: set[int] = set()
        self._over = False
        self._news = threading.Condition(threading.RLock())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The program's own process."""
        return self._process.pid

    @property
    def events(self) -> list[Event]:
        """Every event so far."""
        with self._news:
            return list(self._events)

    def all(self, name: str, /, **fields: object) -> list[Event]:
        """Every event of this name so far whose fields are these."""
        return [event for event in self.events if _fits(event, name, fields)]

    def wait_for(
        self, name: str, within_s: float = _EVENT_WAIT_S, /, **fields: object
    ) -> Event:
        """Return the first event that fits; one that was returned does not again."""
        deadline = time.monotonic() + within_s
        with self._news:
            while (found := self._first(name, fields)) is None:
                left_s = deadline - time.monotonic()
                if self._over or left_s <= 0:
                    how = "it ended" if self._over else f"not in {within_s:g} s"
                    message = f"no {name} {fields}: {how}\n{self.transcript()}"
                    raise AssertionError(message)
                self._news.wait(left_s)
        return found

    def _first(self, name: str, fields: dict[str, object]) -> Event | None:
        for number, event in enumerate(self._events):
            if number not in self._returned and _fits(event, name, fields):
                self._returned.add(number)
                return event
        return None

    def wait_end(self, within_s: float = _RUN_WAIT_S) -> Event:
        """Wait for the end of the process; return `end`, which must be the last event.

        Its `exit` and the process's exit code must be the same.
        """
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {within_s:g} s\n{self.transcript()}"
            ) from None
        self._reader.join()
        names = [event["event"] for event in self._events]
        assert names[-1:] == ["end"], f"`end` is not last\n{self.transcript()}"
        assert names.count("end") == 1, self.transcript()
        assert self._events[-1]["exit"] == code, self.transcript()
        return self._events[-1]

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once, as `kill -9` does; returns when it is dead."""
        self._process.kill()
        self._process.wait()

    def talk(self) -> str:
        """Return what it has said on standard error."""
        return self._talk.read_text("utf-8", "replace")

    def transcript(self) -> str:
        """What the program has said, for a person."""
        lines = [json.dumps(event) for event in self.events[-_LAST_EVENTS_SHOWN:]]
        words = self.talk()
        return "\n".join([f"exit {self._process.poll()}", *lines, words])

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # the lab closed the pipe meanwhile
            for line in self._process.stdout:
                event = json.loads(line)
                with self._news:
                    self._events.append(event)
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@dataclass(frozen=True)
class Answer:
    """A one-shot command's exit code and its one JSON document."""

    exit: int
    document: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        """What the command was asked for."""
        result = self.document["result"]
        assert isinstance(result, dict), self.document
        return result


class Wzp:
    """One user of wzp in a host: a state directory, and the programs run from it."""

    def __init__(
        self,
        host: Host,
        state: Path,
        *,
        name: str = "",
        module: str = "wzp_cli",
        before: Sequence[str] = (),
    ) -> None:
        """Take where, the rest, and what words to put before each command."""
        self.host = host
        self._before = list(before)
        self.state = state
        self._module = module
        self._environment = _environment(state, name)
        self._started = 0
        state.mkdir(parents=True, exist_ok=True)

    @functools.cached_property
    def id(self) -> str:
        """The user's identity (made now if there was none)."""
        identity = self.ask("id", "show").result["id"]
        assert isinstance(identity, str)
        return identity

    def start(self, *words: str) -> Program:
        """Start a command that tells events."""
        self._started += 1
        talk = self.state.with_name(f"{self.state.name}-{self._started}.stderr")
        with talk.open("wb") as stderr:
            process = self.host.popen(
                self._argv(*words),
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        return Program(process, talk)

    def start_script(self, script: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start a program of a test's own; what it prints is its `stdout`."""
        return self.host.popen(
            [sys.executable, str(script), *words],
            env=self._environment,
            stdout=subprocess.PIPE,
        )

    def set(self, **variables: str) -> None:
        """Set variables of the programs that are started from now on."""
        self._environment |= variables

    def ask(self, *words: str, within_s: float = _RUN_WAIT_S) -> Answer:
        """Run a command that prints one document, to its end."""
        done = self.host.run(self._argv(*words), within_s, env=self._environment)
        try:
            return Answer(done.returncode, json.loads(done.stdout))
        except json.JSONDecodeError:
            raise AssertionError(
                f"no document, exit {done.returncode}: {done.stdout}{done.stderr}"
            ) from None

    def _argv(self, *words: str) -> list[str]:
        program = [sys.executable, "-m", self._module]
        return [*self._before, *program, *words, "--json", "--no-input"]


class Stage:
    """A laboratory with wzp in it: relays on servers, one user for each host.

    Attributes:
        lab: The laboratory.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._users: dict[str, Wzp] = {}

    def user(self, host: str, *, name: str = "", module: str = "wzp_cli") -> Wzp:
        """Return who uses wzp on this host; the rest counts the first time.

        Args:
            host: Name of the host.
            name: What the user calls themselves.
            module: What is run in place of wzp.
        """
        if host not in self._users:
            state, at = self._folder / host, self.lab.host(host)
            self._users[host] = Wzp(at, state, name=name, module=module)
        return self._users[host]

    def file(self, name: str) -> Path:
        """Return a path for a file of the test's own."""
        return self._folder / name

    def relay(self, server: str = "r1", *words: str) -> Program:
        """Start a relay; return it when it serves."""
        relay = self.user(server).start("relay", *words)
        relay.wait_for("relay.ready")
        return relay

    def at(self, *servers: str) -> list[str]:
        """Return the words that name these relays."""
        hosts = [self.lab.host(server) for server in servers or ("r1",)]
        return [word for host in hosts for word in ("--relay", host.address)]

    def listen(self, host: str, *words: str) -> Program:
        """Listen for one call, at relay r1; return when it can come in."""
        user = self.user(host)
        listener = user.start(
            "listen", *self.at(), "--auto-answer", "all", "--once", *words
        )
        user.id = listener.wait_for("ready")["id"]  # spares a process
        return listener

    def call(self, host: str, callee: str, *words: str) -> Program:
        """Call the user of another host, at relay r1; return when that has answered."""
        caller = self.user(host).start("call", self.user(callee).id, *self.at(), *words)
        caller.wait_for("answered")
        return caller


def _environment(state: Path, name: str) -> dict[str, str]:
    """What wzp may know: nothing of who runs the tests."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    own = {
        "HOME": str(state),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "WZP_STATE_DIR": str(state),
        "WZP_FORWARDERS": "0",  # a process less for each relay
        "WZP_PUBLIC_STUN": "false",
    }
    return kept | own | ({"WZP_NAME": name} if name else {})


def _fits(event: Event, name: str, fields: dict[str, object]) -> bool:
    return event["event"] == name and all(
        event.get(key) == value for key, value in fields.items()
    )
