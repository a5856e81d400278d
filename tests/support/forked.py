"""wzp's programs as copies of one process that has read all its modules.

To start Python and read the modules takes half a second of a core, to copy a process
that has (fork(2)) a hundredth. What runs is a process of its own all the same: it is
killed and stopped like any other, and nothing of it is shared.

    with Forks() as forks:
        process = forks.start(["relay"], environment, stdout, stderr)
        process.kill()

    the test --words, files--> origin --fork--> keeper --fork--> wzp
             <------------- its pid, then its exit code --'

The keeper is there since a process is waited for by its parent alone.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

__all__ = ["Forked", "Forks"]

_ROOT: Final = Path(__file__).parents[2]
_REQUEST_BYTES: Final = 65536
_ANSWER_BYTES: Final = 64


# --- In the test ----------------------------------------------------------------


class Forked:
    """A copy that runs, with what the tests use of `subprocess.Popen`.

    Attributes:
        returncode: None while it runs; -N if signal N has ended it.
    """

    stdin: IO[bytes] | None = None

    def __init__(self, keeper: socket.socket) -> None:
        """Take the connection to its keeper, which is then owned."""
        self._keeper = keeper
        self.pid = int(keeper.recv(_ANSWER_BYTES))
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = None

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        if self.returncode is None:
            self._keeper.settimeout(timeout)
            try:
                self.returncode = int(self._keeper.recv(_ANSWER_BYTES))
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired("wzp", timeout or 0.0) from error
            self._keeper.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that copies are made of."""

    def __enter__(self) -> Self:
        self._requests, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._origin = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forked", str(theirs.fileno())],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.close()
        self._origin.wait()

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> Forked:
        """Run `wzp` with these words; the files stay the caller's."""
        keeper, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        request = json.dumps({"words": list(words), "environment": dict(environment)})
        with theirs:
            socket.send_fds(
                self._requests,
                [request.encode()],
                [theirs.fileno(), stdout, stderr],
            )
        return Forked(keeper)


# --- In the process that is copied ----------------------------------------------


def _main() -> None:
    """Copy this process for each request; a copy comes out of here as wzp."""
    from wzp_cli.cli.app import main

    _read_all_modules()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        if not _is_copy(requests):
            return
    main()


def _read_all_modules() -> None:
    import wzp_cli

    for module in pkgutil.walk_packages(wzp_cli.__path__, "wzp_cli."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # an extra that is not here
                importlib.import_module(module.name)


def _is_copy(requests: socket.socket) -> bool:
    """Return True in a copy that is to be wzp, False at the end of all requests."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        request, files, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
        if not request:
            return False
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keep(json.loads(request), files)
            return True
        for file in files:
            os.close(file)


def _keep(request: Mapping[str, object], files: Sequence[int]) -> None:
    """Tell of a copy from its beginning to its end; return in the copy alone."""
    keeper, stdout, stderr = files
    if pid := os.fork():
        for file in (stdout, stderr):
            os.close(file)
        os.write(keeper, str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):  # the test has ended
            os.write(keeper, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = ["wzp", *request["words"]]  # type: ignore[misc]


if __name__ == "__main__":
    _main()
