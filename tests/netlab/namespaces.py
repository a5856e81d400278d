"""Network namespaces with an owner that cleans up, for root and for ordinary users.

One *holder* process stands behind each lab. It is this file, run as a script:

    root            python namespaces.py FD shared               names in /run/netns
    ordinary user   unshare -Urnm python namespaces.py FD private   in its own tmpfs

The lab speaks to it over a socket pair: a request names a namespace, the answer
carries an open socket from inside it (so no thread of the lab's process ever changes
its own namespace). When that socket pair closes, because the lab was left or because
its process was killed, the holder kills whatever still runs in its namespaces, removes
them and exits. A holder that was killed itself leaves its namespaces behind under root;
the next holder finds them by the dead process id in their names.
"""

import contextlib
import ctypes
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["LabUnavailable", "Namespaces", "tool", "why_not"]

NETNS_DIR: Final = Path("/run/netns")
PREFIX: Final = "wzp"
SEARCH_PATH: Final = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
TOOLS: Final = ("ip", "nft", "conntrack", "nsenter", "unshare")
_CLONE_NEWNET: Final = 0x40000000
_CAP_SYS_ADMIN: Final = 21
_KILL_LIMIT_S: Final = 5.0
_KILL_ROUNDS: Final = 10
_READY: Final = b"ready"
_TRIAL: Final = """
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - <<'END'
table ip trial {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan" masquerade random,fully-random
    numgen random mod 100 < 1 drop
  }
}
END
conntrack -L
"""


class LabUnavailable(Exception):
    """This machine can't build a lab; the text says what is missing."""


# What the lab's process uses


def tool(name: str) -> str:
    """The path of a program, also where the user's PATH lacks the sbin folders."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise LabUnavailable(f"the program {name!r} is not installed")
    return path


@functools.cache
def why_not() -> str | None:
    """What keeps this machine from building labs, found by trying; None if nothing."""
    try:
        for name in TOOLS:
            tool(name)
        with Namespaces() as spaces:
            spaces.build(["netns add " + spaces.full_name("try")])
            spaces.configure({"try": _TRIAL})
    except LabUnavailable as error:
        return str(error)
    return None


class Namespaces:
    """The namespaces of one lab; a context manager, or `close()` it."""

    def __init__(self) -> None:
        self.rootless = not _may_make_namespaces()
        self._turn = threading.Lock()
        self._control, far_end = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self._holder = self._start_holder(far_end)
        self.prefix = f"{PREFIX}{self._holder.pid}-"

    def _start_holder(self, far_end: socket.socket) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
        if self.rootless:
            argv = [tool("unshare"), "-Urnm", *argv]
        with far_end:
            holder = subprocess.Popen(
                [
                    *argv,
                    str(far_end.fileno()),
                    "private" if self.rootless else "shared",
                ],
                pass_fds=[far_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=os.environ | {"PATH": SEARCH_PATH},
                start_new_session=True,  # Ctrl-C in a terminal is not for it
            )
        if self._control.recv(16) != _READY:
            raise LabUnavailable(self._last_words(holder))
        return holder

    def _last_words(self, holder: subprocess.Popen[bytes]) -> str:
        self._control.close()
        words = holder.communicate()[1].decode(errors="replace")
        kind = "unprivileged user" if self.rootless else "network"
        return f"{kind} namespaces can't be made here: {_one_line(words)}"

    @property
    def holder_pid(self) -> int:
        """The process that owns the namespaces."""
        return self._holder.pid

    def full_name(self, name: str) -> str:
        """The name as `ip netns list` shows it."""
        return self.prefix + name

    def enter(self, name: str) -> list[str]:
        """The words to put before a command so that it runs in the namespace `name`."""
        path = NETNS_DIR / self.full_name(name)
        if not self.rootless:
            return [tool("nsenter"), f"--net={path}", "--"]
        return [
            tool("nsenter"),
            f"--user=/proc/{self.holder_pid}/ns/user",
            "--preserve-credentials",
            f"--net=/proc/{self.holder_pid}/root{path}",
            "--",
        ]

    def _enter_ground(self) -> list[str]:
        if not self.rootless:
            return []
        target = ["--target", str(self.holder_pid)]
        return [tool("nsenter"), *target, "-U", "-n", "-m", "--preserve-credentials"]

    def build(self, lines: Iterable[str]) -> None:
        """Run lines of `ip -batch` outside: add the namespaces, and their links."""
        argv = [*self._enter_ground(), tool("ip"), "-batch", "-"]
        _finish([_start(argv, "\n".join(lines))])

    def configure(self, scripts: dict[str, str]) -> None:
        """Run one shell script in each namespace, all at the same time."""
        shell = [tool("sh"), "-e", "-c"]
        _finish([_start([*self.enter(n), *shell, s], "") for n, s in scripts.items()])

    def open_socket(
        self, name: str, family: int, kind: int, protocol: int
    ) -> socket.socket:
        """Open a socket inside the namespace; it stays there wherever it is used."""
        request = json.dumps([self.full_name(name), family, kind, protocol]).encode()
        with self._turn:
            self._control.send(request)
            answer, fds, _, _ = socket.recv_fds(self._control, 1024, 1)
        if not fds:
            raise OSError(answer.decode())
        return socket.socket(fileno=fds[0])

    def close(self) -> None:
        """Kill what still runs inside and remove everything; returns when done."""
        self._control.close()
        self._holder.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _may_make_namespaces() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    may_mount = os.geteuid() == 0 and bool(effective >> _CAP_SYS_ADMIN & 1)
    return may_mount and os.access(NETNS_DIR.parent, os.W_OK)


def _start(argv: Sequence[str], text: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PATH": SEARCH_PATH},
    )
    return process, text


def _finish(started: Sequence[tuple[subprocess.Popen[str], str]]) -> None:
    """Wait for all of them, then say what went wrong in any of them."""
    trouble = []
    for process, text in started:
        words = process.communicate(text)[1]
        if process.returncode:
            trouble.append(_one_line(words) or f"exit {process.returncode}")
    if trouble:
        raise LabUnavailable("; ".join(trouble))


def _one_line(words: str) -> str:
    return ", ".join(line.strip() for line in words.strip().splitlines())


# What runs in the holder


def _hold(control: socket.socket, names: str) -> None:
    """Serve sockets until the lab's end closes, then leave nothing behind."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # `finally` below still runs
    if names == "private":
        _mount_private_names()
    _remove_stale()
    try:
        control.send(_READY)
        while request := control.recv(1024):
            _answer(control, request)
    finally:
        _remove(f"{PREFIX}{os.getpid()}-")


def _mount_private_names() -> None:
    over = NETNS_DIR if NETNS_DIR.is_dir() else NETNS_DIR.parent
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(over)], check=True)
    NETNS_DIR.mkdir(exist_ok=True)


def _answer(control: socket.socket, request: bytes) -> None:
    name, family, kind, protocol = json.loads(request)
    try:
        with _inside(name), socket.socket(family, kind, protocol) as opened:
            socket.send_fds(control, [b"socket"], [opened.fileno()])
    except OSError as error:
        control.send(f"{name}: {error}".encode())


@contextlib.contextmanager
def _inside(name: str) -> Iterator[None]:
    with open("/proc/self/ns/net") as home, open(NETNS_DIR / name) as there:
        _set_namespace(there.fileno())
        try:
            yield
        finally:
            _set_namespace(home.fileno())


def _set_namespace(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    if libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _remove_stale() -> None:
    """Remove the namespaces of holders that are gone."""
    for path in NETNS_DIR.glob(f"{PREFIX}*-*"):
        number = path.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdecimal() and not _is_holder(number):
            _remove(f"{PREFIX}{number}-")


def _is_holder(pid: str) -> bool:
    try:
        return Path(__file__).name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _remove(prefix: str) -> None:
    """Kill what runs in these namespaces, and remove them."""
    paths = list(NETNS_DIR.glob(f"{prefix}*"))
    lines = "\n".join(f"netns del {path.name}" for path in paths)
    with contextlib.ExitStack() as held_open:  # or another lab gets the inode numbers
        inodes = set()
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # two labs found it stale
                file = held_open.enter_context(path.open())
                inodes.add(_inode(os.fstat(file.fileno())))
        _kill_all_in(inodes)
        subprocess.run(["ip", "-force", "-batch", "-"], input=lines, text=True)
        _kill_all_in(inodes)  # who was on the way in while the names still stood


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _kill_all_in(inodes: set[tuple[int, int]]) -> None:
    """Kill every process in these namespaces, and those it started meanwhile."""
    for _ in range(_KILL_ROUNDS):
        for pid in (found := _processes_in(inodes)):
            _kill(pid)
        if not found:
            return


def _kill(pid: int) -> None:
    """Kill a process and wait until it is dead (reaped or not)."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with open(process, "rb", buffering=0), contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], _KILL_LIMIT_S)


def _processes_in(inodes: set[tuple[int, int]]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # gone meanwhile, or not ours
                if _inode((entry / "ns/net").stat()) in inodes:
                    found.append(int(entry.name))
    return found


if __name__ == "__main__":
    _hold(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
