"""A real nats-server, for one test: started, killed, started again."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.support.requirements import require

__all__ = ["NatsServer", "nats_server"]

_WAIT_S: Final = 20.0


class NatsServer:
    """One address, on which nats-server runs or not."""

    def __init__(self, address: str, port: int, *words: str) -> None:
        self.address, self.port = address, port
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What --cluster takes."""
        return f"nats://{self.address}:{self.port}"

    def start(self) -> None:
        """Start it; returns when it listens."""
        where = ("-a", self.address, "-p", str(self.port))
        self._process = self._run(["nats-server", *where, *self._words])
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                self._connect()
            except OSError:
                assert time.monotonic() < deadline, "nats-server does not listen"
                time.sleep(0.02)
            else:
                return

    def _run(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _connect(self) -> None:
        socket.create_connection((self.address, self.port)).close()

    def kill(self) -> None:
        """Kill it at once; returns when it is dead."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def nats_server(*words: str) -> Iterator[NatsServer]:
    """Run a server on loopback inside; skips the test where there is none to run."""
    if shutil.which("nats-server") is None:
        require("nats", "nats-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = NatsServer("127.0.0.1", port, *words)
    server.start()
    try:
        yield server
    finally:
        server.kill()
