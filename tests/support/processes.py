"""wzp as its users run it, on this machine: processes on loopback, ended with the test.

    with Processes(tmp_path) as processes:
        relay = processes.relay()                       # ports are the system's choice
        bob = processes.user("bob")
        listening = bob.start("listen", "--relay", relay, "--auto-answer", "all")
        ready = listening.wait_for("ready")

What a program tells is read as it comes; each wait has a deadline.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from tests.netlab.program import Answer, Event, Program
from tests.support.forked import Forked, Forks

__all__ = ["Answer", "Event", "Processes", "Program", "Terminal", "User"]

_ROOT: Final = Path(__file__).parents[2]
_WAIT_S: Final = 20.0
"""How long anything may take on a busy machine."""


class Processes:
    """All that a test has started; leaving it ends what still runs."""

    def __init__(self, directory: Path, *, forks: bool = False) -> None:
        """Take a folder for states; `forks`: programs are copies (`forked.py`)."""
        self._directory = directory
        self._open = contextlib.ExitStack()
        self._forks = Forks() if forks else None

    def __enter__(self) -> Self:
        if self._forks is not None:
            self._open.enter_context(self._forks)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def user(self, name: str, **variables: str) -> "User":
        """Return somebody with a state directory; `variables` are `WZP_*`."""
        return User(self, self._directory / name, variables)

    def relay(self, name: str = "relay") -> str:
        """Start a relay; return what --relay takes."""
        relay = self.user(name).start("relay", "--listen", "127.0.0.1:0")
        return f"127.0.0.1:{relay.wait_for('relay.ready')['port']}"

    def fork(
        self, words: Sequence[str], environment: Mapping[str, str], files: Sequence[int]
    ) -> Forked | None:
        """Start a command as a copy, if that is how; `files`: output, errors."""
        if self._forks is None:
            return None
        process = self._forks.start(words, environment, *files)
        self._open.callback(_end, process)
        return process

    def popen(self, argv: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
        """Start a process that is killed, at the latest, with the others."""
        process = subprocess.Popen(argv, cwd=_ROOT, **how)
        self._open.callback(_end, process)
        return process

    def closes(self, file: int) -> int:
        """Close the descriptor with everything else; return it."""
        self._open.callback(os.close, file)
        return file

    def reading(self, path: Path) -> IO[bytes]:
        """Return a pipe out of which the file comes."""
        process = self.popen(["cat", str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        return process.stdout

    def writing(self, path: Path) -> IO[bytes]:
        """Return a pipe into the file."""
        with path.open("wb") as file:
            process = self.popen(["cat"], stdin=subprocess.PIPE, stdout=file)
        assert process.stdin is not None
        return process.stdin


class User:
    """Somebody with a state directory, and the programs they run.

    Attributes:
        environment: What their programs are told.
        before: Words in front of every command: of a program that runs it.
    """

    def __init__(
        self, processes: Processes, state: Path, variables: Mapping[str, str]
    ) -> None:
        self.state = state
        self.program: tuple[str, ...] = ("-m", "wzp_cli")
        self._processes = processes
        self._started = 0
        self.before: Sequence[str] = ()
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(state),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(_ROOT),
            "WZP_STATE_DIR": str(state),
            "WZP_FORWARDERS": "0",  # a process less for each relay
            "WZP_PORTMAP": "false",  # this machine's router is nobody's test
            "WZP_PUBLIC_STUN": "false",  # nor are other people's servers
            **variables,
        }
        state.mkdir(parents=True, exist_ok=True)

    @property
    def id(self) -> str:
        """The identity; made now if there was none."""
        from wzp_cli.adapters.disk.state import open_state

        return str(open_state(self.state).keypair.identity)

    def start(
        self,
        *words: str,
        source: IO[bytes] | None = None,
        sink: IO[bytes] | None = None,
        descriptors: Sequence[int] = (),
    ) -> Program:
        """Start a command that tells events: on standard output, or beside the sound.

        Args:
            words: The command line after `wzp`.
            source: Standard input; closed here.
            sink: Standard output for sound; closed here.
            descriptors: What the process inherits.
        """
        self._started += 1
        talk = self.state.with_name(f"{self.state.name}-{self._started}.stderr")
        events, theirs = os.pipe()
        how = ["--json"] if sink is None else ["--events", f"fd:{theirs}"]
        copied = sink is None and source is None and not descriptors and not self.before
        process: Forked | subprocess.Popen[bytes] | None = None
        with talk.open("wb") as stderr:
            if copied and self.program == ("-m", "wzp_cli"):
                files = (theirs, stderr.fileno())
                process = self._processes.fork([*words, *how], self.environment, files)
            process = process or self._processes.popen(
                [*self.before, sys.executable, *self.program, *words, *how],
                env=self.environment,
                stdin=subprocess.DEVNULL if source is None else source,
                stdout=theirs if sink is None else sink,
                stderr=stderr,
                pass_fds=[theirs, *descriptors],
            )
        os.close(theirs)
        for ours in (source, sink):
            if ours is not None:
                ours.close()
        process.stdout = os.fdopen(events, "rb")
        return Program(process, talk)

    def run(
        self, *words: str, expect: int = 0, stdout: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as a person would; check its exit code."""
        ran = subprocess.run(
            [*self.before, sys.executable, *self.program, *words],
            cwd=_ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_WAIT_S,
        )
        assert ran.returncode == expect, (ran.returncode, ran.stdout, ran.stderr)
        return ran

    def ask(self, *words: str, expect: int = 0) -> Answer:
        """Run a command that prints one document; check its exit code."""
        ran = self.run(*words, "--json", expect=expect)
        assert ran.stderr == ""
        assert ran.stdout.count("\n") == 1, ran.stdout
        return Answer(ran.returncode, json.loads(ran.stdout))

    def at_terminal(self, *words: str) -> "Terminal":
        """Start a command at a terminal of 80 columns."""
        screen, theirs = os.openpty()
        self._processes.closes(screen)
        termios.tcsetwinsize(theirs, (24, 80))
        process = self._processes.popen(
            [*self.before, sys.executable, *self.program, *words],
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return Terminal(process, screen)


class Terminal:
    """A program at a terminal, and the person in front of it."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self._seen = 0
        self.text = ""

    def wait_for(self, words: str) -> None:
        """Read until `words` appear, behind those that were waited for last."""
        deadline = time.monotonic() + _WAIT_S
        while words not in self.text[self._seen :]:
            assert self._read(deadline), f"no {words!r} in:\n{self.text}"
        self._seen = self.text.index(words, self._seen) + len(words)

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._screen, keys.encode())

    def wait_end(self) -> int:
        """Read to the end of the program; return its exit code."""
        deadline = time.monotonic() + _WAIT_S
        while self._read(deadline):
            pass
        return self._process.wait(_WAIT_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def _read(self, deadline: float) -> bool:
        """Take what comes next; return False at the end, or when it is too late."""
        left_s = max(0.0, deadline - time.monotonic())
        if not select.select([self._screen], [], [], left_s)[0]:
            return False
        try:
            self.text += os.read(self._screen, 4096).decode()
        except OSError:  # so Linux says that nobody has the terminal any more
            return False
        return True


def _end(process: subprocess.Popen[bytes] | Forked) -> None:
    process.kill()
    process.wait(_WAIT_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
