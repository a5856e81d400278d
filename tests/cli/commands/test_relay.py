import json
import signal
import socket

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.cli.app import run


def test_a_relay_tells_where_it_serves_and_whom(processes: Processes) -> None:
    serving = processes.user("relay").start("relay", "--listen", "127.0.0.1:0")
    ready = serving.wait_for("relay.ready")
    where = f"127.0.0.1:{ready['port']}"
    assert ready["addresses"] == [where]
    assert len({ready["port"], *ready["ports"]}) == 4
    alice = processes.user("alice")
    watching = alice.start("register", "--relay", where, "--watch")
    registered = watching.wait_for("registered")
    assert registered["relay_id"] == ready["id"] != alice.id
    serving.wait_for("relay.stats", links=1, published=0)
    serving.terminate()
    assert serving.wait_end()["exit"] == 143
    names = [event["event"] for event in serving.events]
    assert names[:2] == ["hello", "relay.ready"]
    assert serving.events[0]["id"] == ready["id"]
    for event in serving.events:
        fits(event, "events.json")


def test_for_a_person_there_is_a_line_to_pass_on(processes: Processes) -> None:
    user = processes.user("relay")
    screen = user.at_terminal("relay", "--listen", "127.0.0.1:4433", "--port", "0")
    screen.wait_for("To use it:\r\n  --relay 127.0.0.1:")
    screen.wait_for("Connected: 0")
    assert "127.0.0.1:4433" not in screen.text  # --port counts more
    screen.send(signal.SIGINT)
    assert screen.wait_end() == 130


def test_a_port_in_use(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        assert run(["relay", "--listen", f"127.0.0.1:{port}"], environ) == 7
    said = f"wzp: UDP port {port} is in use. Choose another with --port.\n"
    assert capfd.readouterr() == ("", said)


@pytest.mark.parametrize("where", ["host:", ":70000", "127.0.0.1:x"])
def test_an_address_that_is_none(
    where: str, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["relay", "--listen", where, "--json"], environ)
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (code, events[-1]["event"], events[-1]["exit"]) == (2, "end", 2)
    assert events[-2]["hint"] == "See `wzp relay --help`."
