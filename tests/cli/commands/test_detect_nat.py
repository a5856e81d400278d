import json
import socket
from collections.abc import Iterator

import pytest

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
    said = processes.user("alice", WZP_RELAY=relay).run("detect-nat", "-q")
    assert said.stderr == ""
    lines = said.stdout.splitlines()
    assert lines[0] == "Direct calls: likely"
    assert "  mapping:            none" in lines
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
    assert [server["server"] for server in result["servers"]] == [mute, "127.0.0.1:1"]
    assert all(server["error"] for server in result["servers"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nobody to ask"),
        (["--expect", "cone", "--stun", "127.0.0.1:1"], "not one of endpoint-indep"),
        (["--stun", "host:port"], "Invalid value for '--stun'"),
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
