"""Two commands on one state directory, as processes: one runs, the other asks it."""

import json
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Event, Processes, User
from wzp_cli.cli.control import steering
from wzp_cli.cli.control.steering import Watch
from wzp_cli.defaults.program import CONTROL_MAX_CLIENTS
from wzp_cli.events import Answered, Calling, Muted, Ringing

LISTEN = ("listen", "--auto-answer", "all", "--in", "tone", "--out", "null")


@pytest.fixture(params=["unix", "tcp"])
def bob(request: pytest.FixtureRequest, processes: Processes, relay: str) -> User:
    """A user whose control socket is a Unix socket, or TCP (the path is too long)."""
    name = "bob" if request.param == "unix" else "bob" * 40
    return processes.user(name, WZP_RELAY=relay)


def raw(user: User) -> socket.socket:
    """Connect to what the user runs, as anybody may who can read its files."""
    control = user.state / "control"
    if (control / "socket").exists():
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(str(control / "socket"))
        return connected
    port, token = (control / "port").read_text().split()
    connected = socket.create_connection(("127.0.0.1", int(port)))
    connected.sendall(f"{token}\n".encode())
    return connected


def asked(user: User, line: bytes) -> list[Event]:
    """Return all that a running wzp says to one line."""
    with raw(user) as connected, connected.makefile("rb") as lines:
        connected.settimeout(20)
        said: list[Event] = []
        with suppress(ConnectionError):  # so TCP says that it was too much
            connected.sendall(line)
            said.extend(map(json.loads, lines))
        return said


def test_how_long_a_call_has_lasted_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    monkeypatch.setattr(steering, "timestamp", lambda at: f"{now_s:g} or so")
    watch = Watch("listen")
    assert watch.told().call is None
    watch.report(Calling(peer="wzp1bob"))
    for event, lasts_s, told_s in (
        (Ringing(peer="wzp1bob"), 3.0, 3.0),
        (Answered(peer="wzp1bob", setup_ms=None), 60.0, 60.0),
        (Muted(muted=True), 7.04, 67.0),
    ):
        watch.report(event)
        now_s += lasts_s
        call = watch.told().call
        assert call is not None
        assert call.lasted_s == told_s


def test_a_measurement_goes_through_the_listeners_socket(bob: User) -> None:
    listening = bob.start(*LISTEN)
    port = listening.wait_for("bound")["port"]
    listening.wait_for("ready")
    answer = bob.ask("detect-nat")
    fits(answer.document, "detect-nat.json")
    assert answer.result["through"] == "listen"
    assert answer.result["reflexive"] == f"127.0.0.1:{port}"
    assert answer.document["warnings"] == []
    said = bob.run("detect-nat", "-q").stdout
    assert "that of the running wzp listen" in said
    listening.terminate()
    listening.wait_end()
    assert bob.ask("detect-nat").result["through"] == "detect-nat"


def test_how_long_a_mapping_lasts_is_measured_there_too(
    bob: User, tmp_path: Path
) -> None:
    bob.start(*LISTEN).wait_for("ready")
    words = ("detect-nat", "--silence", "100ms", "--silence", "30m")
    measuring = bob.start(*words, sink=(tmp_path / "text").open("wb"))
    measuring.wait_for("mapping.aged", lived_s=0.1, next_s=1800.0)
    assert bob.ask("detect-nat").result["through"] == "listen"
    busy = bob.ask("detect-nat", "--silence", "100ms", expect=1)
    assert busy.document["error"]["code"] == "control_busy"
    measuring.send(signal.SIGINT)
    assert measuring.wait_end()["exit"] == 0
    told = (tmp_path / "text").read_text()
    assert "  mapping lifetime:  0.1 s at least\n" in told
    answer = bob.ask("detect-nat", "--silence", "100ms")
    assert answer.result["mapping_lifetime_s"] == 0.1
    assert answer.document["warnings"] == []


def test_a_port_of_ones_own_is_measured_by_itself(bob: User) -> None:
    bob.start(*LISTEN).wait_for("ready")
    assert bob.ask("detect-nat", "--port", "0").result["through"] == "detect-nat"


def test_register_is_measured_too(bob: User) -> None:
    watching = bob.start("register", "--watch")
    watching.wait_for("registered")
    port = watching.wait_for("bound")["port"]
    assert bob.ask("status").result["process"]["port"] == port
    assert bob.ask("detect-nat").result["through"] == "register"


def test_the_events_are_the_listeners(bob: User, tmp_path: Path) -> None:
    bob.start(*LISTEN).wait_for("ready")
    events = tmp_path / "events"
    bob.run("detect-nat", "--events", str(events))
    told = [json.loads(line) for line in events.read_text().splitlines()]
    for each in told:
        fits(each, "events.json")
    names = [each["event"] for each in told]
    assert names[:2] == ["hello", "bound"]
    assert names[-1] == "end"
    assert "reflexive" in names
    assert told[0]["id"] == bob.id


def test_a_call_goes_on_while_the_nat_is_measured(
    bob: User, processes: Processes, relay: str
) -> None:
    listening = bob.start(*LISTEN)
    ready = listening.wait_for("ready")
    alice = processes.user("alice", WZP_RELAY=relay)
    words = ("--in", "tone", "--out", "null")
    calling = alice.start("call", ready["id"], *words)
    calling.wait_for("stats")
    assert bob.ask("detect-nat").result["through"] == "listen"
    assert alice.ask("detect-nat").result["through"] == "call"
    calling.wait_for("stats")
    calling.terminate()
    end = calling.wait_end()
    assert (end["exit"], end["path"]) == (143, "direct")
    again = alice.start("call", ready["id"], *words, "--duration", "1s")
    assert again.wait_end()["exit"] == 0


def test_a_listener_that_stands_still_is_measured_around(bob: User) -> None:
    listening = bob.start(*LISTEN)
    listening.wait_for("ready")
    listening.send(signal.SIGSTOP)
    try:
        answer = bob.ask("detect-nat")
    finally:
        listening.send(signal.SIGCONT)
    assert answer.result["through"] == "detect-nat"
    codes = {each["code"] for each in answer.document["warnings"]}
    assert codes == {"control_silent", "second_process"}


def test_requests_that_are_none_and_clients_that_are_none(bob: User) -> None:
    listening = bob.start(*LISTEN)
    listening.wait_for("ready")
    (reply,) = asked(bob, b'{"type":"sing"}\n')
    assert (reply["type"], reply["code"]) == ("error", "control_unknown")
    (reply,) = asked(bob, b"nonsense\n")
    assert (reply["type"], reply["code"]) == ("error", "remote_protocol")
    assert asked(bob, b"x" * 100_000 + b"\n") == []
    silent = [raw(bob) for _ in range(2 * CONTROL_MAX_CLIENTS)]
    for each in silent:  # they are left alone, and have to go
        each.settimeout(20)
        with suppress(ConnectionError):
            assert each.recv(1) == b""
        each.close()
    (reply,) = asked(bob, b'{"type":"status"}\n')
    assert reply["type"] == "result"


def test_who_asks_and_leaves_stops_the_measurement(bob: User) -> None:
    """The next one need not wait for it: one measurement at a time."""
    bob.start(*LISTEN).wait_for("ready")
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.1", 0))
    server = {"name": f"127.0.0.1:{mute.getsockname()[1]}", "kind": "stun"}
    request = {"type": "detect-nat", "servers": [server], "timeout_s": 3000}
    line = json.dumps(request).encode() + b"\n"
    with mute, raw(bob) as first:
        first.sendall(line)
        assert first.recv(1) == b"{"  # it has begun
        (busy,) = asked(bob, line)
        assert (busy["type"], busy["code"]) == ("error", "control_busy")
        first.close()
        request["timeout_s"] = 0.1
        line = json.dumps(request).encode() + b"\n"
        while (last := asked(bob, line)[-1]).get("code") == "control_busy":
            pass  # until it is noticed that the first has left
    assert last["result"]["through"] == "listen"
