from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.adapters.disk.state import State
from wzp_cli.address import HostPort
from wzp_cli.cli.app import run
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.ticket import Ticket

ADA = Keypair.from_seed(b"\1" * 32)
BOB = Keypair.from_seed(b"\2" * 32).identity
RELAY = HostPort("r1.example", 4433)
SILENCE = ("--in", "null", "--out", "null")


@pytest.fixture
def ask(ask_group: Callable[[str], Any]) -> Any:
    return ask_group("contacts")


def test_a_contact_from_ticket_to_removal(ask: Any) -> None:
    ticket = Ticket(ADA.identity, relay=RELAY, name="Eve").format(ADA)
    words = ["--group", "Family", "--auto-answer", "yes", "--always-relay"]
    added = ask("add", "Ada", ticket, *words)["contact"]
    assert added == {
        "name": "Ada", "id": str(ADA.identity), "short": ADA.identity.short,
        "relay": str(RELAY), "groups": ["family"], "auto_answer": True,
        "always_relay": True, "verified": False, "blocked": False,
    }  # fmt: skip
    again = ask("add", "Lady Ada", str(ADA.identity), "--auto-answer", "default")
    changed = {"name": "Lady Ada", "auto_answer": None}
    assert again["contact"] == added | changed, "the rest stays as it was said"
    assert ask("show", ADA.identity.short) == again
    assert ask("list") == {"contacts": [again["contact"]], "blocked": []}
    assert ask("list", "--group", "family")["contacts"] == [again["contact"]]
    assert ask("list", "--group", "work")["contacts"] == []
    assert ask("remove", "lady ada") == {"name": "lady ada", "known": True}
    assert ask("remove", "lady ada")["known"] is False
    assert ask("show", "lady ada", expect=2)["code"] == "usage"


def test_blocking_with_and_without_a_name(ask: Any, state: State) -> None:
    ask("add", "Ada", str(ADA.identity))
    blocked = ask("block", "ada")
    assert blocked == {
        "id": str(ADA.identity), "name": "Ada", "blocked": True, "changed": True,
    }  # fmt: skip
    assert ask("block", "ada")["changed"] is False
    ask("block", str(BOB))
    listed = ask("list")
    assert [each["blocked"] for each in listed["contacts"]] == [True]
    assert [each["id"] for each in listed["blocked"]] == [str(BOB)]
    ask("remove", "ada")
    assert len(ask("list")["blocked"]) == 2, "a forgotten name lets nobody in"
    assert ask("unblock", str(BOB))["changed"] is True
    assert ask("unblock", str(BOB))["changed"] is False
    assert list(state.blocked.all()) == [ADA.identity]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "Ada", "host:4433"], "says where, not who"),
        (["add", "Ada", "nobody"], "no contact is named"),
        (["add", "a:b", str(BOB)], "no name for a contact"),
        (["add", "\x1b", str(BOB)], "no name for a contact"),
        (["add", "Bob", str(BOB), "--group", "two words"], "no name for a group"),
        (["block", "host:4433"], "says where, not who"),
        (["show", str(BOB)], "is no contact"),
        (["add", "Bob", str(BOB)[:-9] + "aaaaaaaaa"], "some character is mistyped"),
    ],
)
def test_what_is_no_contact(ask: Any, words: list[str], said: str) -> None:
    assert said in ask(*words, expect=2)["message"]


def test_we_are_no_contact_of_ours(ask: Any, state: State) -> None:
    own = str(state.keypair.identity)
    assert "your own" in ask("add", "me", own, expect=2)["message"]
    assert "your own" in ask("block", own, expect=2)["message"]


def test_the_key_of_a_verified_contact_is_not_replaced(ask: Any, state: State) -> None:
    path = state.directory / "contacts"
    path.write_text(f"# friends\n{ADA.identity} - verified:yes Ada\n")
    error = ask("add", "Ada", str(BOB), expect=6)
    assert error["code"] == "key_changed"
    assert "wzp contacts remove" in error["hint"]
    assert "# friends" in path.read_text()


def test_a_damaged_file_is_named_with_its_line(ask: Any, state: State) -> None:
    path = state.directory / "contacts"
    path.write_text(f"{BOB} - Bob\n{ADA.identity} nowhere Ada\n")
    for words in (["list"], ["add", "Carol", str(BOB)], ["remove", "Bob"]):
        error = ask(*words, expect=7)
        assert "Line 2 of" in error["message"]
    assert path.read_text().endswith("nowhere Ada\n")


def test_for_a_person(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["contacts", "list"], environ) == 0
    assert "to add one: wzp contacts add NAME PEER" in capfd.readouterr().out
    assert run(["contacts", "add", "Bob", str(BOB), "--group", "work"], environ) == 0
    assert "groups:       work\n" in capfd.readouterr().out
    assert run(["contacts", "block", "Bob"], environ) == 0
    assert run(["contacts", "list"], environ) == 0
    out = capfd.readouterr().out
    assert out.endswith(f"{BOB.short}  Bob (blocked, groups: work)\n")


def test_what_is_said_of_contacts_holds_in_calls(
    processes: Processes, relay: str
) -> None:
    """Blocked: offline, even while a listener runs. Chosen: answered. By relay: so."""
    bob, ada, eve = (
        processes.user(name, WZP_RELAY=relay) for name in ("bob", "ada", "eve")
    )
    bob.ask("contacts", "add", "Ada", ada.id, "--auto-answer", "yes", "--always-relay")
    ada.ask("contacts", "add", "Bob", bob.id)
    bob.ask("contacts", "block", eve.id)
    listening = bob.start("listen", *SILENCE)
    port = listening.wait_for("bound")["port"]
    listening.wait_for("ready")

    asked = ada.ask("status", "--contacts").document
    fits(asked, "status.json")
    assert asked["result"]["contacts"] == [
        {"name": "Bob", "id": bob.id, "online": True}
    ]
    said = bob.run("status", "--contacts")
    assert said.stdout.endswith("contacts:\n  Ada: offline\n")
    assert said.stderr == ""
    eve.ask("contacts", "add", "Bob", bob.id)
    blocked = eve.ask("status", "--contacts").result["contacts"]
    assert [each["online"] for each in blocked] == [False]

    refused = eve.start("call", bob.id, *SILENCE)
    assert refused.wait_end()["exit"] == 5
    assert refused.all("error")[0]["code"] == "peer_offline"
    pinged = eve.start("ping", bob.id)
    assert pinged.wait_end()["exit"] == 5
    dialled = eve.start("ping", f"127.0.0.1:{port}")
    assert dialled.wait_end()["exit"] == 4

    calling = ada.start("call", "bob", *SILENCE, "--duration", "1s")
    end = calling.wait_end()
    assert (end["exit"], end["path"]) == (0, "relay")
    (answered,) = calling.all("answered")
    assert (answered["contact"], answered["verified"]) == ("Bob", False)
    (incoming,) = listening.all("incoming")
    assert (incoming["contact"], incoming["verified"]) == ("Ada", False)
    told = [event for event in calling.all("candidate") if event["side"] == "remote"]
    assert told == [], "bob has named no address"

    bob.ask("contacts", "block", "ada")
    late = ada.start("call", "bob", *SILENCE, "--ring-timeout", "2s")
    assert late.wait_end()["exit"] in (4, 5), "no answer: the relay learns of it now"
    later = ada.start("call", "bob", *SILENCE)
    assert later.wait_end()["exit"] == 5
    assert later.all("error")[0]["code"] == "peer_offline"
    assert len(listening.all("incoming")) == 1
    listening.terminate()
    listening.wait_end()


def test_a_call_through_the_listener_that_runs_keeps_to_the_relay_as_well(
    processes: Processes, relay: str
) -> None:
    bob, ada = (processes.user(name, WZP_RELAY=relay) for name in ("bob", "ada"))
    ada.ask("contacts", "add", "Bob", bob.id, "--always-relay")
    bob.start("listen", "--auto-answer", "all", *SILENCE).wait_for("ready")
    listening = ada.start("listen", *SILENCE)
    listening.wait_for("ready")
    calling = ada.start("call", "bob", *SILENCE, "--duration", "1s")
    end = calling.wait_end()
    assert (end["exit"], end["path"]) == (0, "relay")
    assert listening.all("calling"), "it was the listener that called"
    local = [event for event in calling.all("candidate") if event["side"] == "local"]
    assert local == []


def test_presence_needs_a_relay(processes: Processes) -> None:
    ada = processes.user("ada")
    assert "no relay is known" in ada.run("status", "--contacts", expect=2).stderr
    assert ada.ask("status").result["contacts"] is None
