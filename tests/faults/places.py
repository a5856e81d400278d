"""Places that fail: a full disk, a home that can't be written, DNS that is silent.

Made with mounts, which root alone may make: elsewhere the tests are skipped.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.requirements import require

__all__ = ["dead_names", "fill", "full_disk", "small_disk", "unwritable"]

_DISK_BYTES = 64 * 1024


@contextlib.contextmanager
def full_disk(at: Path) -> Iterator[Path]:
    """Yield a file system without space, with an empty folder `state` (0700) in it."""
    with small_disk(at, _DISK_BYTES):
        (at / "state").mkdir(mode=0o700)
        fill(at)
        yield at


@contextlib.contextmanager
def small_disk(at: Path, size_bytes: int) -> Iterator[Path]:
    """Yield an empty file system of that size."""
    at.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(at))
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(disk: Path) -> None:
    """Take what space there is."""
    with contextlib.suppress(OSError), (disk / "full").open("wb", buffering=0) as big:
        while True:
            big.write(bytes(512))


def unwritable(home: Path) -> list[str]:
    """Make a folder read-only; return what to put in front of a command.

    It takes away root's right to ignore modes, as no ordinary user has.
    """
    if os.geteuid() != 0:
        require("faults", "not root")
    home.chmod(0o555)
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@contextlib.contextmanager
def dead_names(folder: Path) -> Iterator[list[str]]:
    """Yield what to put in front of a command so that no name server answers it.

    Appending a line to `folder / "hosts"` brings names to life.
    """
    if os.geteuid() != 0:
        require("faults", "not root")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.153\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    words = " && ".join(
        f"mount --bind {folder}/{name} /etc/{name}" for name in ("resolv.conf", "hosts")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.153", 53))
        except OSError as error:
            require("faults", f"there is a name server here: {error}")
        yield ["unshare", "--mount", "sh", "-c", f'{words} && exec "$@"', "sh"]


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        require("faults", done.stderr.strip())
