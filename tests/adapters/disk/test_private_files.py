import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.private_files import (
    exclusive,
    make_private_directory,
    read_private,
    read_text,
    replace_file,
    translated,
    try_exclusive,
    write_private,
)
from wzp_cli.errors import StateUnusable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def any_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("any_umask")
def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private_directory(folder)
    replace_file(folder / "file", b"secret")
    assert mode_of(folder) == 0o700
    assert mode_of(folder / "file") == 0o600
    make_private_directory(folder)


def test_a_folder_where_others_can_write_is_refused_with_the_cure(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "my state"
    folder.mkdir()
    folder.chmod(0o770)
    with pytest.raises(StateUnusable, match=r"Run: chmod 700 '.*my state'"):
        make_private_directory(folder)
    folder.chmod(0o755)
    make_private_directory(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusable, match="not a folder"):
        make_private_directory(tmp_path / "file")
    with pytest.raises(StateUnusable, match="--state-dir"):
        make_private_directory(tmp_path / "file" / "below")


def test_a_secret_comes_back_or_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert read_private(path) is None
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert read_private(path) == b"two"
    assert os.listdir(tmp_path) == ["secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666, 0o610])
def test_a_secret_that_others_can_read_is_refused_with_the_cure(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "secret"
    replace_file(path, b"one")
    path.chmod(mode)
    with pytest.raises(StateUnusable, match=r"Run: chmod 600 .*secret"):
        read_private(path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give away"
)
def test_what_is_another_users_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    replace_file(path, b"one")
    os.chown(path, 65534, 65534)
    with pytest.raises(StateUnusable, match="another user"):
        read_private(path)
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(StateUnusable, match="another user"):
        make_private_directory(tmp_path)


def test_a_pipe_or_folder_in_place_of_a_secret_does_not_hold_us_up(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(StateUnusable):
            read_private(tmp_path / name)


def test_text_comes_back_or_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "text"
    assert read_text(path) == ""
    path.write_bytes(b"\xff")
    with pytest.raises(StateUnusable, match="UTF-8"):
        read_text(path)
    with pytest.raises(StateUnusable):
        read_text(tmp_path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"before")
    program = (
        "import resource, sys, pathlib\n"
        "from wzp_cli.adapters.disk.private_files import replace_file\n"
        "from wzp_cli.errors import StateUnusable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: replace_file(pathlib.Path(sys.argv[1]), b'after')\n"
        "except StateUnusable as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "files may not grow" in done.stdout
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EROFS, "can't be written"),
        (errno.EACCES, "permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_the_systems_errors_become_sentences(
    tmp_path: Path, number: int, words: str
) -> None:
    with pytest.raises(StateUnusable, match=words), translated(tmp_path):
        raise OSError(number, os.strerror(number))


def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with try_exclusive(path) as first, try_exclusive(path) as second:
        assert (first, second) == (True, False)
    with try_exclusive(path) as again:
        assert again


def test_the_end_of_a_process_frees_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys, pathlib\n"
        "from wzp_cli.adapters.disk.private_files import try_exclusive\n"
        "with try_exclusive(pathlib.Path(sys.argv[1])) as ours:\n"
        "    print(ours, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with try_exclusive(path) as ours:
            assert not ours
        other.kill()
        other.wait()
        with exclusive(path), try_exclusive(path) as second:
            assert not second


def test_a_lock_that_can_not_be_made(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable), exclusive(tmp_path / "none" / "lock"):
        pass


@pytest.mark.usefixtures("any_umask")
def test_a_new_secret_is_private_and_never_written_over_anything(
    tmp_path: Path,
) -> None:
    write_private(tmp_path / "new", b"secret")
    assert mode_of(tmp_path / "new") == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("new", "link"):
        with pytest.raises(StateUnusable, match=r"is there already: name a new one"):
            write_private(tmp_path / name, b"other")
    assert (tmp_path / "new").read_bytes() == b"secret"
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_that_has_no_room_is_not_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateUnusable, match="no space"):
        write_private(tmp_path / "words", b"secret")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_has_left_is_taken_away_later(tmp_path: Path) -> None:
    path, other = tmp_path / "port", tmp_path / f".key.{'0' * 16}"
    old, new = (tmp_path / f".port.{digit * 16}" for digit in "ab")
    for left in (old, new, other):
        left.write_bytes(b"half")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    replace_file(path, b"whole")
    assert set(tmp_path.iterdir()) == {path, new, other}
