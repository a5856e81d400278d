import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Processes
from wzp_cli.adapters.disk.state import Contact, State, open_state
from wzp_cli.adapters.identity_words import backup_words, verification_words
from wzp_cli.address import HostPort
from wzp_cli.cli.app import run
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.ticket import Ticket

ADA = Keypair.from_seed(b"\1" * 32)
BOB = Keypair.from_seed(b"\2" * 32)


@pytest.fixture
def ask(ask_group: Callable[[str], Any]) -> Any:
    return ask_group("id")


def test_words_to_compare_and_a_mark_that_lasts(ask: Any, state: State) -> None:
    state.contacts.add(Contact("Ada", ADA.identity))
    own = state.keypair.identity
    shown = ask("verify", "ada")
    assert shown == {
        "name": "Ada", "id": str(ADA.identity), "verified": False,
        "words": verification_words(ADA.identity),
        "own_id": str(own), "own_words": verification_words(own),
    }  # fmt: skip
    assert ask("trust", "ada") == {
        "name": "Ada", "relay": None, "id": str(ADA.identity),
    }  # fmt: skip
    assert ask("verify", "ada")["verified"] is True
    assert state.policy(ADA.identity).verified
    assert ask("forget", "ada") == {"relay": None, "known": True, "name": "Ada"}
    assert ask("forget", "ada")["known"] is False
    assert not state.policy(ADA.identity).verified
    assert "is no contact" in ask("verify", str(BOB.identity), expect=2)["message"]


def test_a_relays_key_is_given_before_the_first_visit(ask: Any, state: State) -> None:
    ask("trust", "r1.example", str(ADA.identity))
    assert state.known_relays.pinned("r1.example:4433") == ADA.identity.key
    error = ask("trust", "r1.example", str(BOB.identity), expect=6)
    assert error["code"] == "key_changed"
    assert ask("forget", "r1.example")["known"] is True


def test_both_sides_read_the_same_words_at_their_terminals(
    processes: Processes,
) -> None:
    ada, bob = processes.user("ada"), processes.user("bob")
    for one, other, name in ((ada, bob, "Bob"), (bob, ada, "Ada")):
        one.ask("contacts", "add", name, other.id)
    screens = [ada.at_terminal("id", "verify", "bob")]
    screens.append(bob.at_terminal("id", "verify", "ada"))
    for screen, own, other in zip(screens, (ada, bob), (bob, ada), strict=True):
        screen.wait_for("You read to")
        for user in (own, other):  # ours first, then theirs
            for word in verification_words(Identity.parse(user.id)):
                screen.wait_for(word)
        screen.wait_for("Were all words the same on both sides? Type y or n")
    screens[0].type("y\n")
    screens[1].type("n\n")
    assert [screen.wait_end() for screen in screens] == [0, 0]
    assert "Bob: verified" in screens[0].text
    assert "Ada: not verified" in screens[1].text
    assert max(map(len, screens[0].text.splitlines())) <= 80
    assert ada.ask("contacts", "show", "bob").result["contact"]["verified"] is True
    assert bob.ask("contacts", "show", "ada").result["contact"]["verified"] is False


def test_an_identity_is_kept_as_words_and_comes_back_elsewhere(
    ask: Any, state: State, tmp_path: Path
) -> None:
    backup = tmp_path / "words"
    saved = ask("export", "--output", str(backup))
    assert saved["words"] is None
    assert saved["path"] == str(backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.read_text().split() == backup_words(state.keypair)
    assert ask("export")["words"] == backup_words(state.keypair)
    refused = ask("export", "-o", str(backup), expect=7)
    assert refused["code"] == "state"
    assert "is there already" in refused["message"]
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    ask("export", "-o", str(tmp_path / "link"), expect=7)
    assert not (tmp_path / "nothing").exists()

    there = ["--state-dir", str(tmp_path / "there")]
    became = ask("import", str(backup), *there)
    assert became["id"] == str(state.keypair.identity) == saved["id"]
    assert became["previous_key"] is None
    again = ask("import", str(backup), *there)
    assert again == became, "to become who one is changes nothing"


def test_an_identity_that_is_there_is_not_lost(
    ask: Any, state: State, tmp_path: Path
) -> None:
    before = state.keypair
    words = tmp_path / "words"
    words.write_text(" ".join(backup_words(ADA)))
    assert "--force" in ask("import", str(words), expect=2)["hint"]
    assert open_state(state.directory).keypair.identity == before.identity
    became = ask("import", str(words), "--force")
    assert became["id"] == str(ADA.identity)
    kept = Path(became["previous_key"])
    assert before.identity.short in kept.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    words.write_text(" ".join(backup_words(BOB)[:-1]))
    assert "here are 23" in ask("import", str(words), "--force", expect=2)["message"]
    ask("import", str(tmp_path / "nowhere"), expect=2)
    words.write_bytes(b"\xff\x00 " * 24)
    assert "Word 1" in ask("import", str(words), "--force", expect=2)["message"]
    assert open_state(state.directory).keypair.identity == ADA.identity


def test_words_are_typed_or_piped(processes: Processes, tmp_path: Path) -> None:
    ada = processes.user("ada")
    screen = ada.at_terminal("id", "import")
    screen.wait_for("Type the 24 words, then Enter.")
    words = backup_words(ADA)
    screen.type(" ".join(words[:12]) + "\n")
    screen.type(" ".join(words[12:]) + "\n")
    assert screen.wait_end() == 0
    assert ada.id == str(ADA.identity)


def test_what_runs_keeps_its_identity_and_that_is_told(
    ask: Any, state: State, environ: dict[str, str],
    capfd: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "words").write_text(" ".join(backup_words(ADA)))
    with state.claim_port():
        assert run(["id", "import", str(tmp_path / "words"), "--json"], environ) == 0
    (warning,) = json.loads(capfd.readouterr().out)["warnings"]
    assert warning["code"] == "restart"


def test_a_ticket_and_its_picture(ask: Any, state: State) -> None:
    assert ask("ticket")["ticket"] == f"wzp:{state.keypair.identity}"
    shown = ask("ticket", "--relay", "r1.example", "--ticket-expires", "7d")
    ticket = Ticket.parse(shown["ticket"], shown["expires"] - 7 * 86_400 + 60)
    assert ticket.relay == HostPort("r1.example", 4433)
    assert ticket.expires == shown["expires"]
    assert shown["qr"] is None
    drawn = ask("qr", "--relay", "r1.example")
    assert max(map(len, drawn["qr"])) <= 80
    assert drawn["expires"] is None


def test_show_makes_the_identity_once(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["id", "show", "--state-dir", str(tmp_path / "mine"), "--json"]
    assert run(words, environ) == 0
    first = json.loads(capfd.readouterr().out)["result"]
    assert run(words, environ) == 0
    assert json.loads(capfd.readouterr().out)["result"] == first
    assert first["state_dir"] == str(tmp_path / "mine")
    identity = open_state(tmp_path / "mine").keypair.identity
    assert (first["id"], first["short"]) == (str(identity), identity.short)


def test_show_for_a_person(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["id", "show"], environ) == 0
    out, err = capfd.readouterr()
    assert err == ""
    identity = open_state().keypair.identity
    assert out.split() == [
        "identity:", str(identity), "short:", identity.short,
        "state", "directory:", str(Path(environ["XDG_STATE_HOME"]) / "wzp"),
    ]  # fmt: skip


def test_new_keeps_the_key_before(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["id", "new", "--json"], environ) == 0
    first = json.loads(capfd.readouterr().out)["result"]
    assert first["previous_key"] is None
    assert run(["id", "new", "--json"], environ) == 0
    second = json.loads(capfd.readouterr().out)["result"]
    assert second["id"] != first["id"]
    kept = Path(second["previous_key"])
    assert first["short"] in kept.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run(["id", "new"], environ) == 0
    assert f"identity-{second['short']}.key" in capfd.readouterr().out


def test_a_state_directory_that_cannot_be_used(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    words = ["id", "show", "--state-dir", str(tmp_path / "file"), "--json"]
    assert run(words, environ) == 7
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "state"


def test_devices_of_one_identity_ring_together_and_one_takes_the_call(
    processes: Processes, relay: str
) -> None:
    """Desk and phone share a key, each in a state directory (and port) of its own."""
    desk, phone, ada = (
        processes.user(name, WZP_RELAY=relay) for name in ("desk", "phone", "ada")
    )
    desk.ask("id", "export", "-o", str(desk.state / "words"))
    phone.ask("id", "import", str(desk.state / "words"))
    assert phone.id == desk.id
    screens = [
        user.at_terminal("listen", "--plain", "--in", "tone", "--out", "null")
        for user in (desk, phone)
    ]
    for screen in screens:
        screen.wait_for("Ready for calls.")
    silence = ("--in", "null", "--out", "null")
    calling = ada.start("call", desk.id, *silence, "--duration", "1s")
    for screen in screens:
        screen.wait_for("Answer? Type y or n")
    screens[1].type("y\n")
    screens[0].wait_for("The call was answered on another device.")
    screens[1].wait_for("answered.")
    assert calling.wait_end()["exit"] == 0
    assert len(calling.all("answered")) == 1
    screens[1].wait_for("The call is over: the peer hung up (time is up).")
    for screen in screens:
        assert "another wzp has this state directory" not in screen.text

    calling = ada.start("call", desk.id, *silence, "--duration", "1s")
    for screen in screens:
        screen.wait_for("Answer? Type y or n")  # who lost takes calls again
    screens[0].type("y\n")
    screens[1].wait_for("The call was answered on another device.")
    assert calling.wait_end()["exit"] == 0
    for screen in screens:
        screen.send(signal.SIGINT)
        assert screen.wait_end() == 130
