"""Full disks, a home that can't be written, DNS that is silent, clocks that jump."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.matrix import row
from tests.faults.places import dead_names, fill, full_disk, small_disk, unwritable
from tests.support.processes import Processes, User
from tests.support.requirements import require
from wzp_cli.defaults.sound import RECORDING_FREE_MIN_BYTES

SOUND = ("--in", "tone", "--out", "null")
ALL = ("--auto-answer", "all", *SOUND)
BACK_S = 45.0
"""A relay's absence is noticed, and it is asked again: as in the laboratory."""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as running:
        yield running


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"full"}


# --- The disk -------------------------------------------------------------------


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    tmp_path: Path, processes: Processes
) -> None:
    bob = processes.user("bob")
    bob.ask("contacts", "add", "ada", processes.user("ada").id)
    with full_disk(tmp_path / "disk") as disk:
        eve = processes.user("eve", WZP_STATE_DIR=str(disk / "state"))
        eve_told = [
            eve.run(*words.split(), expect=row("disk-key").ends).stderr
            for words in ("register --relay 127.0.0.1", "relay", "id show")
        ]
        bob_told = [
            bob.run(*words.split(), expect=row("disk-files").ends).stderr
            for words in (
                f"id export -o {disk}/words",
                f"config init --config {disk}/config.toml",
                f"report -o {disk}/page.html --timeout 100ms --stun 127.0.0.1:9",
            )
        ]
        for told in (*eve_told, *bob_told):
            assert re.search("no space is left|No space left on device", told), told
            assert "Errno" not in told
        assert left(disk) == {"state"}
        assert left(disk / "state") <= {"relay", "write.lock"}


def test_a_key_and_contacts_survive_a_disk_that_fills(
    tmp_path: Path, processes: Processes
) -> None:
    with full_disk(tmp_path / "disk") as disk:
        (disk / "full").unlink()
        bob = processes.user("bob", WZP_STATE_DIR=str(disk / "state"))
        ada = processes.user("ada").id
        bob.run("contacts", "add", "ada", ada)
        before = bob.ask("id", "show").result["id"]
        kept = (disk / "state" / "contacts").read_bytes()
        fill(disk)
        for words in (("id", "new"), ("contacts", "add", "eve" * 400, ada)):
            bob.run(*words, expect=row("disk-files").ends)
        assert (disk / "state" / "contacts").read_bytes() == kept
        assert bob.ask("id", "show").result["id"] == before
        assert not [name for name in left(disk / "state") if name.startswith(".")]


def test_a_call_where_the_disk_is_full(tmp_path: Path, processes: Processes) -> None:
    """One call: its events and its log get no further, its recording never begins."""
    relay = processes.relay()
    bob, ada = processes.user("bob"), processes.user("ada")
    listening = bob.start("listen", "--relay", relay, *ALL)
    listening.wait_for("ready")
    with full_disk(tmp_path / "disk") as disk:
        call = ("call", bob.id, "--relay", relay, *SOUND, "--duration", "1s")
        refused = ada.run(*call, "--record", f"{disk}/r.wav", expect=7)
        assert "less than 64 MiB are free" in refused.stderr
        assert row("disk-record").exit == 7
        assert not (disk / "r.wav").exists()
        aside = ("--events", f"{disk}/e", "--log-file", f"{disk}/l", "-vv")
        gone_on = ada.run(*call, *aside, expect=row("disk-log").ends).stderr
        for option in ("--events", "--log-file"):
            said = f"{option} takes no more: No space left on device"
            assert gone_on.count(said) == 1, gone_on
        assert "Traceback" not in gone_on
        listening.wait_for("hangup", reason="time is up")
        assert len(listening.all("incoming")) == 1  # the refused one called nobody
    room = RECORDING_FREE_MIN_BYTES + (1 << 20)
    with small_disk(tmp_path / "small", room) as disk:
        calling = ada.start(
            *("call", bob.id, "--relay", relay, *SOUND, "--duration", "3s"),
            *("--record", f"{disk}/r.wav"),
        )
        calling.wait_for("recording")
        (disk / "others").write_bytes(bytes(1 << 20))
        assert "goes on" in calling.wait_for("warning", code="recording")["message"]
        assert calling.wait_end()["exit"] == row("disk-recording").ends


@pytest.mark.parametrize("words", ["id show", "id show --json", "contacts list --json"])
def test_standard_output_on_a_full_disk(processes: Processes, words: str) -> None:
    ada = processes.user("ada")
    with open("/dev/full", "wb") as full:
        run = ada.run(
            *words.split(), expect=row("disk-stdout").ends, stdout=full.fileno()
        )
    said = "wzp: standard output takes no more: No space left on device."
    assert run.stderr.startswith(said)
    assert run.stderr.count("\n") == 1


def test_a_home_that_can_not_be_written(tmp_path: Path, processes: Processes) -> None:
    home = tmp_path / "home"
    home.mkdir()
    eve = processes.user("eve", HOME=str(home))
    del eve.environment["WZP_STATE_DIR"]
    eve.before = unwritable(home)
    for words in ("register --relay 127.0.0.1", "relay", "config init"):
        told = eve.run(*words.split(), expect=row("home").ends).stderr
        assert str(home) in told
        assert "permission" in told.lower()
        assert re.search("--state-dir|--config", told)
    eve.run("id", "show", "--state-dir", str(tmp_path / "elsewhere"))


# --- Names ----------------------------------------------------------------------


def test_names_that_nobody_answers(tmp_path: Path, processes: Processes) -> None:
    """At the start, when it is interrupted, and for a listener that comes back."""
    relay_user = processes.user("relay")
    relay = relay_user.start("relay", "--listen", "127.0.0.1:0")
    port = relay.wait_for("relay.ready")["port"]
    with dead_names(tmp_path) as before:
        bob = processes.user("bob")
        bob.before = before
        with (tmp_path / "hosts").open("a") as hosts:
            hosts.write("127.0.0.1 relay.test\n")
        listening = bob.start("listen", "--relay", f"relay.test:{port}", *ALL)
        listening.wait_for("ready")
        (tmp_path / "hosts").write_text("")
        relay.terminate()
        relay.wait_end()
        listening.wait_for("warning", code="relay_lost")

        ada = processes.user("ada")
        ada.before = before
        waiting = ada.start("call", "nobody.test:4433", *SOUND)
        waiting.wait_for("bound")
        began = time.monotonic()
        waiting.send(signal.SIGINT)
        assert waiting.wait_end()["exit"] == 130
        assert time.monotonic() - began < 5  # a name server's own timeout is longer
        told = ada.ask(
            "register", "--relay", "relay.test:1", expect=row("names-start").ends
        )
        error = told.document["error"]
        assert error["code"] == "name_not_found"
        assert "gave no answer about relay.test" in error["message"]

        (tmp_path / "hosts").write_text("127.0.0.1 relay.test\n")
        relay_user.start("relay", "--listen", f"127.0.0.1:{port}")
        listening.wait_for("registered", published=True)
        listening.wait_for("registered", BACK_S, published=True)
        assert row("names-listener").exit is None
        listening.terminate()
        assert listening.wait_end()["exit"] == 143


# --- Clocks ---------------------------------------------------------------------

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
REREAD_S = 1


def test_clocks_that_jump(tmp_path: Path, processes: Processes) -> None:
    if not FAKETIME:
        require("faults", "faketime is not installed")
    clock = tmp_path / "clock"

    def jump(by: str) -> None:
        """Set everybody's clock: the file is replaced as a whole."""
        (tmp_path / "next").write_text(by)
        (tmp_path / "next").replace(clock)

    variables = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": str(REREAD_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    jump("+0")
    relay_user, bob, ada = (
        processes.user(name, **variables) for name in ("relay", "bob", "ada")
    )
    relay = relay_user.start("relay", "--listen", "127.0.0.1:0")
    at = f"127.0.0.1:{relay.wait_for('relay.ready')['port']}"
    words = ("listen", "--relay", at, *ALL, "--record", str(tmp_path / "r.wav"))
    listening = bob.start(*words)
    listening.wait_for("ready")
    ticket = bob.ask("id", "ticket", "--relay", at, "--ticket-expires", "1h")
    calling = ada.start("call", bob.id, "--relay", at, *SOUND, "--duration", "6s")
    calling.wait_for("stats")
    for by in ("+3d", "-3d"):
        jump(by)
        day = time.gmtime(time.time() + int(by[:-1]) * 86400)  # noqa: TID251
        date = time.strftime("%Y-%m-%d", day)
        while not calling.wait_for("stats")["ts"].startswith(date):
            pass
    end = calling.wait_end()
    assert end["exit"] == row("clock-call").ends
    assert 6_000 < end["t_ms"] < 60_000
    assert not calling.all("warning") + listening.all("warning")
    listening.wait_for("hangup", reason="time is up")

    jump("+2h")
    late = ada.start("call", ticket.result["ticket"], *SOUND)
    assert late.wait_end()["exit"] == row("clock-ticket").ends
    assert "expired" in late.all("error")[0]["message"]


# --- Descriptors ----------------------------------------------------------------


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def limit(pid: int, files: int) -> None:
    """Let a process have so many descriptors, and no more."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, 4096))


def test_too_few_descriptors_to_start(processes: Processes) -> None:
    ada = processes.user("ada")
    assert ada.id
    for files in (6, 8, 9):  # no loop, no module more, no file more
        ada.before = ["prlimit", f"--nofile={files}"]
        told = ada.run(
            *("register", "--relay", "127.0.0.1"), expect=row("files-start").ends
        ).stderr
        assert "too many files are open here" in told
        assert "ulimit -n" in told
        assert told.count("\n") == 1


def test_descriptors_that_run_out(tmp_path: Path, processes: Processes) -> None:
    """Of all three at once, in a call; when there are some again, all is as before."""
    relay_user, bob, ada = (processes.user(name) for name in ("relay", "bob", "ada"))
    relay = relay_user.start(
        *("relay", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    )
    ready = relay.wait_for("relay.ready")
    at = f"127.0.0.1:{ready['port']}"
    listening = bob.start(
        *("listen", "--relay", at, *ALL, "--record", str(tmp_path / "r.wav"))
    )
    listening.wait_for("ready")
    calling = ada.start("call", bob.id, "--relay", at, *SOUND)
    for side in (calling, listening):
        side.wait_for("media.started")
    for program in (relay, listening, calling):
        limit(program.pid, descriptors(program.pid))

    asking = [
        processes.popen(
            [sys.executable, "-m", "wzp_cli", *words, "--timeout", "2s"],
            env=user.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for user, words in (
            (relay_user, ("relay", "status", "--metrics", ready["metrics"])),
            (relay_user, ("relay", "status")),
            (bob, ("status",)),
        )
    ]
    other = User(processes, tmp_path / "eve", {})
    eve = other.start("call", bob.id, "--relay", at, *SOUND)
    assert eve.wait_end()["exit"] in (4, 5)  # let go, or busy
    for asker in asking:
        asker.wait(30)

    calling.wait_for("stats")
    calling.send(signal.SIGINT)
    end = calling.wait_end()
    assert end["exit"] == 130  # nothing else has ended it
    assert row("files-caller").exit is None
    assert end["frames"]["received"] > 100
    listening.wait_for("hangup", by="peer")
    for program in (relay, listening):
        assert row("files-relay").exit is row("files-listener").exit is None
        assert "Traceback" not in program.talk()
        assert program.talk().count("no connection is taken") <= 1
        limit(program.pid, 1024)
    again = ada.start("call", bob.id, "--relay", at, *SOUND, "--duration", "1s")
    assert again.wait_end()["exit"] == 0
    listening.wait_for("hangup", reason="time is up")
    assert bob.ask("status").result["running"]
    relay_user.ask("relay", "status", "--metrics", ready["metrics"])
    for program in (listening, relay):
        program.terminate()
        assert program.wait_end()["exit"] in (143, 0)
