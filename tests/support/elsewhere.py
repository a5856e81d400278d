"""wzp as it finds itself on a system without Linux's extras: `python -m` this.

What macOS lacks is taken away, in this process, before wzp starts: the error queue of a
socket, IPv4's options on a dual-stack socket, /proc, own addresses of datagrams. What
Windows lacks beyond that: `sendmsg` and `recvmsg`. Each use that has no other way then
fails here as it would fail there.
"""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__all__ = ["be_elsewhere", "main"]

_NOWHERE = Path("/nowhere")
_LINUX_ONLY = (
    "wzp_cli.endpoint.sockets.error_queue",
    "wzp_cli.endpoint.sockets.udp",
    "wzp_cli.adapters.sound_files.pipe",
)


class _Socket(socket.socket):
    """A socket of a system that is not Linux."""

    def getsockopt(self, level: int, option: int, *rest: Any) -> Any:
        self._check(level)
        return super().getsockopt(level, option, *rest)

    def setsockopt(self, level: int, option: int, *rest: Any) -> None:
        self._check(level)
        super().setsockopt(level, option, *rest)
        if (level, option) == (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS):
            # As there: of both families. (Here it is IPv4's own option.)
            super().setsockopt(socket.IPPROTO_IP, socket.IP_TTL, *rest)

    def _check(self, level: int) -> None:
        if self.family == socket.AF_INET6 and level == socket.IPPROTO_IP:
            raise OSError(22, "Invalid argument")

    @property
    def sendmsg(self) -> Any:
        raise AttributeError("sendmsg")

    @property
    def recvmsg(self) -> Any:
        raise AttributeError("recvmsg")


def be_elsewhere() -> None:
    """Take away what only Linux has."""
    import importlib

    from wzp_cli.adapters.port_mapping import gateway

    socket.socket = _Socket  # type: ignore[misc]
    for name in _LINUX_ONLY:
        module: Any = importlib.import_module(name)
        module.sys = SimpleNamespace(**{**vars(sys), "platform": "darwin"})
    gateway._ROUTES = _NOWHERE  # type: ignore[misc]


def main() -> None:
    """Run wzp."""
    from wzp_cli.cli.app import main as wzp

    be_elsewhere()
    wzp()


if __name__ == "__main__":
    main()
