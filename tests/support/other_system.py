"""wzp as it runs where Unix is not: `python -m tests.support.other_system NAME WORDS`.

Before a module of wzp is imported, this process is made to lack what the system NAME
(`win32`, `darwin`) lacks: modules, signals, families of sockets, calls. What the
standard library and the packages need to load here has been loaded by then. WORDS are
those of `wzp`; without any, each module of wzp is imported.
"""

import functools
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import types
from typing import Any

__all__ = ["become", "import_all"]

_PACKAGES = [
    "asyncio",
    "asyncio.subprocess",
    "multiprocessing",
    "subprocess",
    "tempfile",
    "shutil",
    "logging",
    "getpass",
    "platform",
    "webbrowser",
    "typer",
    "typer.main",
    "rich.console",
    "rich.text",
    "rich.table",
    "aioquic.quic.connection",
    "aioice.stun",
    "aioice.turn",
    "msgspec",
    "cryptography.x509",
    "cryptography.hazmat.primitives.serialization",
    "platformdirs",
    "ifaddr",
    "numpy",
    "opuslib",
    "websockets.asyncio.server",
    "websockets.asyncio.client",
    "mnemonic",
    "zeroconf.asyncio",
    "segno",
    "prometheus_client",
    "nats",
    "soundfile",
    "soxr",
    "sounddevice",
    "async_upnp_client.client",
    "typing_extensions",
    "pywebrtc_audio",
]

_MODULES = {
    "win32": [
        "fcntl",
        "grp",
        "pwd",
        "resource",
        "termios",
        "tty",
        "pty",
        "readline",
        "syslog",
        "crypt",
    ],
    "darwin": [],
}
_SIGNALS = {
    "win32": [
        "SIGALRM",
        "SIGCHLD",
        "SIGCONT",
        "SIGHUP",
        "SIGKILL",
        "SIGPIPE",
        "SIGQUIT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGUSR1",
        "SIGUSR2",
        "SIGWINCH",
        "pthread_kill",
        "pthread_sigmask",
        "sigwait",
    ],
    "darwin": ["SIGPOLL", "SIGPWR", "SIGRTMIN", "SIGSTKFLT"],
}
_SOCKETS = {
    "win32": [
        "AF_UNIX",
        "AF_NETLINK",
        "SO_PEERCRED",
        "SO_REUSEPORT",
        "IPV6_PKTINFO",
        "IPV6_RECVPKTINFO",
        "IPV6_RECVHOPLIMIT",
        "MSG_DONTWAIT",
        "MSG_ERRQUEUE",
        "MSG_NOSIGNAL",
        "IP_RECVERR",
        "IP_MTU_DISCOVER",
        "SO_BINDTODEVICE",
        "CMSG_SPACE",
        "CMSG_LEN",
    ],
    "darwin": [
        "AF_NETLINK",
        "SO_PEERCRED",
        "MSG_ERRQUEUE",
        "IP_RECVERR",
        "SO_BINDTODEVICE",
    ],
}
_CALLS = {
    "win32": [
        "getuid",
        "geteuid",
        "getgid",
        "getegid",
        "fork",
        "forkpty",
        "killpg",
        "setsid",
        "getpgrp",
        "getpgid",
        "tcgetpgrp",
        "mkfifo",
        "fchmod",
        "fchown",
        "chown",
        "getloadavg",
        "fstatvfs",
        "sched_getaffinity",
        "sched_yield",
        "set_blocking",
        "ttyname",
        "openpty",
        "nice",
        "wait3",
        "posix_fallocate",
        "sync",
        "fdatasync",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_DIRECTORY",
        "O_CLOEXEC",
        "O_SYNC",
        "pread",
        "pwrite",
    ],
    "darwin": ["sched_getaffinity", "posix_fallocate", "posix_fadvise", "fdatasync"],
}
_METHODS = {"win32": ("recvmsg", "sendmsg", "recvmsg_into"), "darwin": ()}


class _Gone:
    """Finds none of some modules."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Raise for those; say nothing of others."""
        if name in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def become(system: str) -> None:
    """Lack what that system lacks, from now on."""
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except (ImportError, OSError):  # an extra, or a library, that is not here
            continue
    locks = importlib.import_module("fcntl")
    for name in _MODULES[system]:
        sys.modules.pop(name, None)
    finder: Any = _Gone(_MODULES[system])
    sys.meta_path.insert(0, finder)
    # asyncio wakes itself by a pair, which Windows makes of TCP.
    socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)
    for module, names in ((signal, _SIGNALS), (socket, _SOCKETS), (os, _CALLS)):
        for name in names[system]:
            if hasattr(module, name):
                delattr(module, name)
    for name in _METHODS[system]:
        setattr(socket.socket, name, property(_absent))
    if system == "win32":
        sys.modules["msvcrt"] = _msvcrt(locks)
    sys.platform = system


def _absent(self: object) -> None:
    raise AttributeError("not on this system")


def _msvcrt(locks: types.ModuleType) -> types.ModuleType:
    """Return what Windows has for locks and keys, made of what this system has."""
    made: Any = types.ModuleType("msvcrt")
    made.LK_LOCK, made.LK_NBLCK = locks.LOCK_EX, locks.LOCK_EX | locks.LOCK_NB
    made.locking = lambda descriptor, mode, count: locks.flock(descriptor, mode)
    made.setmode = lambda descriptor, mode: 0
    made.kbhit = lambda: bool(select.select([0], [], [], 0)[0])
    made.getwch = made.getwche = lambda: os.read(0, 1).decode("latin-1")
    found: types.ModuleType = made
    return found


def import_all() -> list[str]:
    """Import each module of wzp; return their names."""
    import wzp_cli

    names = [
        found.name for found in pkgutil.walk_packages(wzp_cli.__path__, "wzp_cli.")
    ]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return names


def main(system: str, *words: str) -> int:
    """Run `wzp WORDS` there, or import everything."""
    become(system)
    if not words:
        return 0 if len(import_all()) > 150 else 1
    from wzp_cli.cli.app import run

    return run(list(words), os.environ)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
