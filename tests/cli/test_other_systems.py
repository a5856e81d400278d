"""What runs where Unix is not, as far as this machine can be made to lack it.

The import of each module, and whole calls: with control sockets of TCP, without
terminals, signals and calls that are Unix's. See tests/support/other_system.py.
"""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.processes import Processes, User

SYSTEMS = ("win32", "darwin")
SOUND = ("--in", "tone", "--out", "null")


def living(processes: Processes, name: str, system: str, **variables: str) -> User:
    """Return who uses wzp on that system."""
    user = processes.user(name, PYTHONWARNINGS="ignore", **variables)
    user.program = ("-m", "tests.support.other_system", system)
    return user


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_is_imported(system: str) -> None:
    words = ["-W", "ignore", "-m", "tests.support.other_system", system]
    ran = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr


def test_calls_are_made_taken_and_steered(processes: Processes, relay: str) -> None:
    bob = living(processes, "bob", "win32", WZP_RELAY=relay)
    alice = living(processes, "alice", "darwin", WZP_RELAY=relay)
    here = alice.start("listen", *SOUND)
    here.wait_for("ready")
    screen = bob.at_terminal("listen", *SOUND)  # lines: there is no screen
    screen.wait_for("Ready for calls.")
    by_tcp = bob.state / "control" / "port"
    assert by_tcp.exists()

    calling = alice.start("call", bob.id)
    screen.wait_for("Answer?")
    screen.type("y\n")
    calling.wait_for("media.started")
    assert bob.ask("mute").result["muted"] is True
    assert bob.ask("status").result["process"]["call"]["muted"] is True
    alice.run("hangup")
    assert calling.wait_end()["exit"] == 0
    screen.send(signal.SIGTERM)
    assert screen.wait_end() == 143
    assert os.listdir(by_tcp.parent) == ["lock"], "nothing leads to nobody"


def test_hooks_are_refused_in_words_where_there_are_none(
    processes: Processes,
) -> None:
    bob = living(processes, "bob", "win32")
    said = bob.run("listen", "--on", "incoming=true", *SOUND, expect=2).stderr
    assert "wzp events" in said


def test_a_call_inside_this_machine(processes: Processes) -> None:
    result = living(processes, "ada", "win32").ask("demo").result
    assert result["direct"]["path"] == "direct"
