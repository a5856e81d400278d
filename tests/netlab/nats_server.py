"""nats-server on a machine of the laboratory: started, killed, started again."""

import shutil
import socket
import subprocess
import time
from types import TracebackType
from typing import Final, Self

from tests.netlab.lab import Host
from tests.support.requirements import require

__all__ = ["LabNats"]

_PORT: Final = 4222
_WAIT_S: Final = 20.0


class LabNats:
    """One machine, on which nats-server runs or not."""

    def __init__(self, host: Host) -> None:
        if shutil.which("nats-server") is None:
            require("nats", "nats-server is not installed")
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What --cluster takes."""
        return f"nats://{self._host.address}:{_PORT}"

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._process = self._host.popen(
            ["nats-server", "-a", self._host.address, "-p", str(_PORT)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _WAIT_S
        while True:
            with self._host.socket(socket.SOCK_STREAM) as probe:
                try:
                    probe.connect((self._host.address, _PORT))
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

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
