"""Pings through a listener that runs: its socket, its relay link, beside its calls."""

import signal

from tests.cli.control.test_steering import asked
from tests.cli.test_schema import fits
from tests.support.processes import Processes

SILENCE = ("--in", "null", "--out", "null")


def test_a_ping_goes_through_the_listener(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    bob = processes.user("bob", WZP_RELAY=relay)
    here = alice.start("listen", *SILENCE)
    there = bob.start("listen", "--auto-answer", "all", *SILENCE)
    port = here.wait_for("bound")["port"]
    here.wait_for("ready")
    there.wait_for("ready")

    pinging = alice.start("ping", bob.id, "--until-direct", "--require", "direct")
    end = pinging.wait_end()
    assert (end["exit"], end["path"], end["peer"]) == (0, "direct", bob.id)
    assert end["pings"]["sent"] == len(pinging.all("ping"))
    assert [each["port"] for each in pinging.all("bound")] == [port]
    assert pinging.events[0]["id"] == alice.id
    for event in pinging.events:
        fits(event, "events.json")
    probing = alice.start("call", bob.id, "--probe-only")
    assert probing.wait_end()["exit"] == 0
    assert probing.all("bound")[0]["port"] == port

    # Beside a call, and without its notice; Ctrl-C ends the ping alone.
    carol = processes.user("carol", WZP_RELAY=relay)
    carol.start("listen", "--auto-answer", "all", *SILENCE).wait_for("ready")
    calling = alice.start("call", bob.id, "--in", "tone")
    calling.wait_for("media.started")
    same = alice.start("ping", bob.id)
    assert same.wait_end()["exit"] == 1
    assert same.all("error")[0]["code"] == "in_call"
    more = alice.start("ping", carol.id, "-c", "99")
    more.wait_for("ping")
    more.send(signal.SIGINT)
    assert more.wait_end()["exit"] == 130
    calling.wait_for("stats")
    assert not here.all("ping"), "it is told to who asked"
    own = alice.start("ping", bob.id, "-c", "1", "--port", "0")
    assert own.wait_end()["exit"] == 0
    assert own.all("bound")[0]["port"] != port

    for line in (
        b'{"type":"ping","peer":"wzp1nonsense"}\n',
        b'{"type":"ping","peer":"x","count":0}\n',
        b'{"type":"ping","peer":"127.0.0.1:1","relay":["::x"]}\n',
    ):
        assert asked(alice, line)[-1]["type"] == "error"
    wrong = alice.start("ping", alice.id)
    assert wrong.wait_end()["exit"] == 2
    there.terminate()
    there.wait_end()
    gone = alice.start("ping", bob.id, "-c", "1")
    assert gone.wait_end()["exit"] == 5


def test_what_runs_and_can_t_ping_is_told(processes: Processes, relay: str) -> None:
    """As a `register --watch` can't: then with a socket of one's own."""
    alice = processes.user("alice", WZP_RELAY=relay)
    bob = processes.user("bob", WZP_RELAY=relay)
    watching = alice.start("register", "--watch")
    bob.start("listen", "--auto-answer", "all", *SILENCE).wait_for("ready")
    watching.wait_for("registered")
    pinging = alice.start("ping", bob.id, "-c", "1")
    assert pinging.wait_end()["exit"] == 0
    codes = [event["code"] for event in pinging.all("warning")]
    assert codes == ["control_unknown", "second_process"]
