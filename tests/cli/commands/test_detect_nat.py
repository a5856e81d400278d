import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.cli.nat.samples import BLOCKED
from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.cli.app import run


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_one_document_with_evidence(processes: Processes, relay: str) -> None:
    alice = processes.user("alice")
    answer = alice.ask("detect-nat", "--relay", relay)
    fits(answer.document, "detect-nat.json")
    result = answer.result
    port = result["reflexive"].rpartition(":")[2]
    assert result["reflexive"] == f"127.0.0.1:{port}"
    assert {address.rpartition(":")[2] for address in result["local"]} == {port}
    assert (result["mapping"], result["port_preserving"]) == ("none", True)
    assert len(result["servers"]) == 4  # the relay's own port, and three others
    seen = {server["reflexive"] for server in result["servers"]}
    assert seen == {result["reflexive"]}
    assert result["hops"] is None
    assert alice.ask("register", "--relay", relay).result["reflexive"] in seen


def test_a_person_reads_the_verdict_first(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    said = alice.run("detect-nat")
    assert said.stderr == ""
    assert f"Registered at relay {relay}." in alice.run("detect-nat", "-v").stderr
    lines = said.stdout.splitlines()
    assert lines[0] == "Direct calls: likely"
    assert "  mapping:           none" in lines
    assert any(line.startswith(f"  {relay} sees 127.0.0.1:") for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_requirement_that_is_not_met_stands_beside_the_result(
    processes: Processes, relay: str, mute: str
) -> None:
    words = ["--stun", relay, "--stun", mute, "--timeout", "2s"]
    answer = processes.user("alice").ask(
        "detect-nat", *words, "--expect", "endpoint-dependent", expect=3
    )
    fits(answer.document, "detect-nat.json")
    assert answer.document["error"]["code"] == "requirement"
    assert answer.result["mapping"] == "none"
    by_server = {each["server"]: each for each in answer.result["servers"]}
    assert by_server[relay]["error"] is None
    assert by_server[mute]["error"]
    assert by_server[mute]["reflexive"] is None


def test_silence_is_a_result_and_an_error(
    mute: str, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    environ["WZP_STUN"] = f"{mute},127.0.0.1:1"
    assert run(["detect-nat", "--timeout", "300ms", "--json"], environ) == 4
    document = json.loads(capfd.readouterr().out)
    fits(document, "detect-nat.json")
    assert (document["ok"], document["error"]["exit"]) == (False, 4)
    result = document["result"]
    assert (result["mapping"], result["reflexive"]) == ("unknown", None)
    assert result["names_found"] is True
    assert [server["server"] for server in result["servers"]] == [mute, "127.0.0.1:1"]
    assert all(server["error"] for server in result["servers"])


def test_a_name_that_is_not_found_is_no_silence(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    environ["WZP_STUN"] = "nobody.invalid:1"
    assert run(["detect-nat", "--json"], environ) == 4
    document = json.loads(capfd.readouterr().out)
    fits(document, "detect-nat.json")
    assert document["error"]["code"] == "name_not_found"
    result = document["result"]
    assert result["names_found"] is False
    assert [each["code"] for each in result["reasons"]] == ["no-name-found"]
    assert [each["code"] for each in result["advice"]] == ["check-names"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nobody to ask"),
        (["--expect", "cone", "--stun", "127.0.0.1:1"], "not one of endpoint-indep"),
        (["--stun", "host:port"], "Invalid value for '--stun'"),
        (["--stun", "127.0.0.1:1", "--forecast-with", "/none"], "No such file"),
        (
            ["--stun", "127.0.0.1:1", "--forecast-with", "wzp:x"],
            "not what their NAT does",
        ),
        (["--stun", "127.0.0.1:1", "--changes"], "are about --every"),
        (["--stun", "127.0.0.1:1", "--silence", "0s"], "not a duration"),
        (["--stun", "127.0.0.1:1", "--silence", "61m"], "an hour at most"),
        (
            ["--stun", "127.0.0.1:1", *(f"--silence={n}s" for n in range(1, 14))],
            "at most 12",
        ),
    ],
)
def test_wrong_words(
    words: list[str],
    said: str,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["detect-nat", *words, "--json"], environ) == 2
    document = json.loads(capfd.readouterr().out)
    fits(document, "detect-nat.json")
    assert said in document["error"]["message"]
    assert "wzp detect-nat --help" in document["error"]["hint"]


def test_what_is_required(processes: Processes, relay: str, mute: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    for require in ("direct", "limited", "udp"):
        assert alice.ask("detect-nat", "--require", require).result["verdict"]
    words = ["--relay", mute, "--timeout", "500ms", "--require", "udp"]
    answer = alice.ask("detect-nat", *words, expect=4)  # nobody answered at all
    assert answer.document["error"]["code"] == "relay_unreachable"


def test_the_forecast_for_a_peer(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    report = alice.state / "bob.json"
    report.write_text(json.dumps({"result": msgspec.to_builtins(BLOCKED)}))
    words = ["--forecast-with", str(report)]
    answer = alice.ask("detect-nat", *words, "--require", "direct", expect=3)
    fits(answer.document, "detect-nat.json")
    assert answer.result["pair"]["outcome"] == "relay"
    assert answer.document["error"]["message"] == answer.result["pair"]["summary"]
    said = alice.run("detect-nat", *words, "-q").stdout
    assert "\nThis pair: by a relay's TCP port, UDP is blocked on one side\n" in said


def test_explained(processes: Processes, relay: str) -> None:
    said = processes.user("alice", WZP_RELAY=relay).run("detect-nat", "--explain")
    assert "\nWhat the words mean:\n" in said.stdout
    assert "  mapping (none): What that address depends on." in said.stdout


def test_how_long_a_mapping_lasts(processes: Processes, relay: str) -> None:
    """Here nobody forgets: the longest silence is outlived."""
    alice = processes.user("alice", WZP_RELAY=relay)
    answer = alice.ask("detect-nat", "--silence", "200ms", "--silence", "100ms")
    fits(answer.document, "detect-nat.json")
    assert answer.result["mapping_lifetime_s"] == 0.2
    assert answer.result["mapping_lost_s"] is None
    assert answer.document["warnings"] == []


def test_what_is_known_when_it_is_interrupted(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    words = ("--full", "--silence", "100ms", "--silence", "30m")
    said = tmp_path / "document"
    measuring = alice.start("detect-nat", *words, "--json", sink=said.open("wb"))
    measuring.wait_for("mapping.aged", lived_s=0.1, next_s=1800.0)
    measuring.send(signal.SIGINT)
    assert measuring.wait_end()["exit"] == 0
    document = json.loads(said.read_text())
    fits(document, "detect-nat.json")
    assert document["result"]["mapping_lifetime_s"] == 0.1
    assert document["result"]["mapping_lost_s"] is None


def test_not_again_and_again(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["detect-nat", "--stun", "127.0.0.1:1", "--full", "--every", "1s"]
    assert run(words, environ) == 2
    assert "--full takes minutes: not with --every" in capfd.readouterr().err


def test_without_a_relay_no_lifetime(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_STUN=relay)
    answer = alice.ask("detect-nat", "--full")
    assert answer.result["mapping_lifetime_s"] is None
    codes = [each["code"] for each in answer.document["warnings"]]
    assert codes == ["lifetime_unknown"]


def test_again_and_again(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    watching = alice.start("detect-nat", "--every", "100ms")
    told = [watching.wait_for("nat.detected") for _ in range(3)]
    watching.terminate()
    assert watching.wait_end()["exit"] == 143
    for event in watching.events:
        fits(event, "events.json")
    names = [event["event"] for event in watching.events]
    once = ("hello", "bound", "reflexive", "registered", "end")
    assert [names.count(name) for name in once] == [1] * 5, "the others are no news"
    for event in told:
        validator = {"schema": "wzp.detect-nat/1", "wzp": "", "ts": "", "ok": True}
        document = {**validator, "elapsed_ms": 1.0, "warnings": [], "error": None}
        fits({**document, "result": event["result"]}, "detect-nat.json")
        assert event["error"] is None
    ports = {event["result"]["reflexive"] for event in told}
    assert len(ports) == 1  # one socket for all of them


def test_only_what_changes(processes: Processes, mute: str) -> None:
    alice = processes.user("alice", WZP_STUN=mute)
    words = ["--every", "50ms", "--changes", "--duration", "2s", "--timeout", "100ms"]
    watching = alice.start("detect-nat", *words)
    assert watching.wait_end()["exit"] == 0
    (first,) = watching.all("nat.detected")
    assert (first["changed"], first["error"]) == ([], "relay_unreachable")


def test_a_watch_ends_when_what_is_required_is_no_more(
    processes: Processes, mute: str
) -> None:
    alice = processes.user("alice", WZP_STUN=mute)
    words = ["--every", "50ms", "--timeout", "100ms", "--require", "udp"]
    watching = alice.start("detect-nat", *words)
    assert watching.wait_end()["exit"] == 3
    assert watching.all("error")[0]["code"] == "requirement"


def test_a_person_reads_a_line_each_time(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    words = ["--every", "100ms", "--duration", "1500ms", "-q"]
    said = alice.run("detect-nat", *words).stdout.splitlines()
    assert said
    for line in said:
        assert re.match(r"\d\d:\d\d:\d\d Direct calls: likely; 127\.0\.0\.1:", line)
