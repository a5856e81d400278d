from typing import Any

from tests.cli.test_schema import fits
from tests.support.processes import Processes

SILENCE = ["--in", "null", "--out", "null"]


def listening(processes: Processes, relay: str, name: str) -> str:
    """Somebody listens; return their ticket."""
    program = processes.user(name).start(
        "listen", "--relay", relay, "--auto-answer", "all", *SILENCE
    )
    ticket = program.wait_for("ready")["ticket"]
    assert isinstance(ticket, str)
    return ticket


def checked(end: dict[str, Any]) -> dict[str, Any]:
    fits(end, "events.json")
    return end


def test_until_direct(processes: Processes, relay: str) -> None:
    ticket = listening(processes, relay, "bob")
    pinging = processes.user("alice").start(
        "ping", ticket, "--until-direct", "--require", "direct"
    )
    end = checked(pinging.wait_end())
    assert (end["exit"], end["path"]) == (0, "direct")
    assert end["pings"]["sent"] == end["pings"]["answered"] == len(pinging.all("ping"))
    assert end["frames"] is None


def test_a_required_path_that_is_not_there(processes: Processes, relay: str) -> None:
    ticket = listening(processes, relay, "bob")
    alice = processes.user("alice", WZP_PRIVACY="always-relay")
    pinging = alice.start("ping", ticket, "-c", "1", "--require", "direct")
    end = checked(pinging.wait_end())
    assert (end["exit"], end["path"]) == (3, "relay")
    assert end["why_not_direct"] == "this side keeps to the relay"
    assert pinging.all("error")[0]["code"] == "requirement"


def test_a_call_that_only_probes(processes: Processes, relay: str) -> None:
    ticket = listening(processes, relay, "bob")
    calling = processes.user("alice").start("call", ticket, "--probe-only")
    end = checked(calling.wait_end())
    assert (end["exit"], end["path"]) == (0, "direct")
    assert not calling.all("answered")


def test_for_people(processes: Processes, relay: str) -> None:
    ticket = listening(processes, relay, "bob")
    said = processes.user("alice").run("ping", ticket, "-c", "1", expect=0)
    assert said.stdout == ""
    assert "Ping 1: " in said.stderr


def test_nobody_pings_themselves(processes: Processes, relay: str) -> None:
    alice = processes.user("alice")
    said = alice.run("ping", alice.id, "--relay", relay, expect=2)
    assert "your own identity" in said.stderr
