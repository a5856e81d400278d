"""A real nats-server on loopback, for one test: started, killed, started again."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.support.requirements import require

__all__ = ["NatsServer", "nats_server"]

_WAIT_S: Final = 20.0


class NatsServer:
    """One port of loopback, on which nats-server runs or not."""

    def __init__(self, *words: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What --cluster takes."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._process = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), *self._words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert time.monotonic() < deadline, "nats-server does not listen"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it at once; returns when it is dead."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def nats_server(*words: str) -> Iterator[NatsServer]:
    """Run a server inside; skips the test where there is none to run."""
    if shutil.which("nats-server") is None:
        require("nats", "nats-server is not installed")
    server = NatsServer(*words)
    server.start()
    try:
        yield server
    finally:
        server.kill()
