"""What runs where Unix is not, as far as this machine can be made to lack it.

The import of each module, and whole calls: with control sockets of TCP, without
terminals, signals and calls that are Unix's. See tests/support/other_system.py.
"""

import os
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


@pytest.mark.parametrize("system", SYSTEMS)
def test_calls_are_made_taken_and_steered(
    system: str, processes: Processes, relay: str
) -> None:
    bob = living(processes, "bob", system, WZP_RELAY=relay)
    alice = living(processes, "alice", system, WZP_RELAY=relay)
    here = alice.start("listen", *SOUND)
    ready = here.wait_for("ready")
    by_tcp = alice.state / "control" / "port"
    assert by_tcp.exists() == (system == "win32")
    screen = bob.at_terminal("listen", "--plain", *SOUND)
    screen.wait_for("Ready for calls.")

    calling = alice.start("call", bob.id)  # through the listener, by that way
    screen.wait_for("Answer?")
    screen.type("y\n")
    calling.wait_for("media.started")
    assert alice.ask("mute").result["muted"] is True
    assert alice.ask("status").result["process"]["call"]["muted"] is True
    alice.run("hangup")
    assert calling.wait_end()["exit"] == 0
    assert ready["id"] == alice.id
    here.terminate()
    assert here.wait_end()["exit"] == 143
    if system == "win32":
        assert not by_tcp.exists(), "nothing is left that leads to nobody"
        assert not os.listdir(by_tcp.parent) or os.listdir(by_tcp.parent) == ["lock"]


def test_hooks_are_refused_in_words_where_there_are_none(
    processes: Processes,
) -> None:
    bob = living(processes, "bob", "win32")
    said = bob.run("listen", "--on", "incoming=true", *SOUND, expect=2).stderr
    assert "wzp events" in said


def test_a_call_inside_this_machine(processes: Processes) -> None:
    result = living(processes, "ada", "win32").ask("demo").result
    assert result["direct"]["path"] == "direct"
