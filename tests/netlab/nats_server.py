"""nats-server on a machine of the laboratory: started, killed, started again."""

import shutil
import socket
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from tests.netlab.lab import Host
from tests.support.nats_server import NatsServer
from tests.support.requirements import require

__all__ = ["LabNats"]

_PORT: Final = 4222


class LabNats(NatsServer):
    """One machine, on which nats-server runs or not."""

    def __init__(self, host: Host) -> None:
        if shutil.which("nats-server") is None:
            require("nats", "nats-server is not installed")
        super().__init__(host.address, _PORT)
        self._host = host

    def _run(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        return self._host.popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _connect(self) -> None:
        with self._host.socket(socket.SOCK_STREAM) as probe:
            probe.connect((self.address, self.port))

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
