"""Small files that belong to one user: read with care, replaced as a whole, locked.

The system's errors leave this module as StateUnusable, in words and with the cure.
"""

import contextlib
import errno
import glob
import os
import secrets
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wzp_cli.defaults.program import LEFTOVER_AGE_S
from wzp_cli.errors import StateUnusable

__all__ = [
    "exclusive",
    "make_private_directory",
    "read_private",
    "read_text",
    "replace_file",
    "translated",
    "try_exclusive",
    "write_private",
]

_HAS_OWNERS: Final = sys.platform != "win32"
_NOT_BLOCKING: Final = getattr(os, "O_NONBLOCK", 0)
_GROUP_OR_OTHERS: Final = 0o077
_GROUP_OR_OTHERS_WRITE: Final = 0o022

_WORDS: Final = {
    errno.ENOSPC: "no space is left there: free some",
    errno.EDQUOT: "your quota there is used up: free some space",
    errno.EFBIG: "files may not grow there: raise the limit",
    errno.EROFS: "the disk can't be written",
    errno.EACCES: "this user has no permission: check its owner and mode",
    errno.EPERM: "this user has no permission: check its owner and mode",
    errno.ENOTDIR: "part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.EMFILE: "too many files are open here: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: end some programs",
}


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into StateUnusable."""
    try:
        yield
    except OSError as error:
        words = _WORDS.get(error.errno or 0, error.strerror or str(error))
        raise StateUnusable(
            f"{path} can't be used: {words}, or name another folder with --state-dir."
        ) from error


def _check_owner(path: Path, status: os.stat_result) -> None:
    if sys.platform != "win32" and status.st_uid != os.geteuid():
        raise StateUnusable(
            f"{path} belongs to another user. Run wzp as that user, or name another"
            " folder with --state-dir."
        )


def make_private_directory(path: Path) -> None:
    """Make the folder `path` (0700), or check that others can't change what is in it.

    Raises:
        StateUnusable: It is no folder, another user's, or writable for others.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise StateUnusable(f"{path} is not a folder: name another with --state-dir.")
    if not _HAS_OWNERS:
        return
    _check_owner(path, status)
    if status.st_mode & _GROUP_OR_OTHERS_WRITE:
        raise StateUnusable(
            f"Other users can write in {path}. Run: chmod 700 {shlex.quote(str(path))}"
        )


def read_private(path: Path) -> bytes | None:
    """Return what a secret file holds; None where there is none.

    Raises:
        StateUnusable: It can't be read, is another user's, or others can read it too.
    """
    with translated(path):
        try:
            # Not blocking: a named pipe must not hold us up.
            descriptor = os.open(path, os.O_RDONLY | _NOT_BLOCKING)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            # Asked of the open file: what is checked is what is read.
            _check_private(path, os.fstat(descriptor))
            return file.read()


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StateUnusable(f"{path} is not a plain file: move it away.")
    if not _HAS_OWNERS:
        return
    _check_owner(path, status)
    if status.st_mode & _GROUP_OR_OTHERS:
        raise StateUnusable(
            f"Other users can read {path}. Run: chmod 600 {shlex.quote(str(path))}"
        )


def read_text(path: Path) -> str:
    """Return what a text file holds; "" where there is none.

    Raises:
        StateUnusable: It can't be read, or is not UTF-8.
    """
    with translated(path):
        try:
            return path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise StateUnusable(f"{path} is damaged: it is not UTF-8 text.") from error


def replace_file(path: Path, content: bytes) -> None:
    """Make `path` hold `content`, mode 0600: all of it, or what was there before.

    Raises:
        StateUnusable: It can't be written; the sentence says why.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with translated(path):
        _write_new(temporary, content)
        try:
            _sweep(path, temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)


def _sweep(path: Path, temporary: Path) -> None:
    """Take away what processes that were killed on the way here have left."""
    now_s = temporary.stat().st_mtime
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}"):
        with contextlib.suppress(OSError):  # another one was faster
            if now_s - left.stat().st_mtime > LEFTOVER_AGE_S:
                left.unlink()


def write_private(path: Path, content: bytes) -> None:
    """Make a secret file, mode 0600, where nothing is: no file, no link.

    Raises:
        StateUnusable: Something is there, or it can't be written.
    """
    with translated(path):
        try:
            _write_new(path, content)
        except FileExistsError as error:
            raise StateUnusable(f"{path} is there already: name a new one.") from error


def _write_new(path: Path, content: bytes) -> None:
    """Make a file that was not there; all of it, or none."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync_directory(path: Path) -> None:
    """Make a rename in `path` last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, wait: bool) -> None:
        """Take the lock, or raise OSError: at once, or after waiting for 10 s."""
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool) -> None:
        """Take the lock, or raise OSError where another process has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


_HELD_BY_ANOTHER: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path` inside; yield False where another holds it."""
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _lock(descriptor, wait=wait)
            ours = True
        except OSError as error:
            # Network disks without locks: go on as if alone. What is lost is the
            # protection against a second process, not the state.
            ours = error.errno not in _HELD_BY_ANOTHER
        yield ours
    finally:
        os.close(descriptor)  # also unlocks, as the end of the process does


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Run the block while no other process runs one with the lock file `path`.

    Raises:
        StateUnusable: The lock file can't be made, or stayed locked (Windows: 10 s).
    """
    with _locked(path, wait=True) as ours:
        if not ours:
            raise StateUnusable(f"Another wzp holds {path}. Try again.")
        yield


@contextlib.contextmanager
def try_exclusive(path: Path) -> Iterator[bool]:
    """Yield at once whether we hold the lock file `path`, inside the block.

    Raises:
        StateUnusable: The lock file can't be made.
    """
    with _locked(path, wait=False) as ours:
        yield ours
