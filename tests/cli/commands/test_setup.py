import json
import tomllib
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes, User


@pytest.fixture
def ada(processes: Processes, tmp_path: Path) -> User:
    return processes.user("ada", WZP_CONFIG=str(tmp_path / "config.toml"))


def config_of(user: User) -> dict[str, object]:
    return tomllib.loads(Path(user.environment["WZP_CONFIG"]).read_text())


def test_flags_alone_set_it_up(ada: User, relay: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("# Mine.\nportmap = false\n")
    words = ("--name", "Ada", "--relay", relay, "--in", "tone", "--out", "null")
    answer = ada.ask("setup", *words)
    fits(answer.document, "setup.json")
    assert answer.result["test_call"] is True
    (met,) = answer.result["relays"]
    assert (met["relay"], met["error"]) == (relay, None)
    assert met["seen"].startswith("127.0.0.1:")
    assert answer.result["id"] == ada.id
    assert config_of(ada) == {
        **{"portmap": False, "name": "Ada", "relay": relay},
        **{"in": "tone", "out": "null"},
    }
    assert (tmp_path / "config.toml").read_text().startswith("# Mine.\n")


def test_a_silent_relay_is_told_and_kept(ada: User) -> None:
    answer = ada.ask("setup", "--relay", "127.0.0.1:9", "--timeout", "1s", expect=4)
    fits(answer.document, "setup.json")
    assert answer.document["error"]["code"] == "relay_unreachable"
    assert config_of(ada) == {"relay": "127.0.0.1:9"}


def test_a_wrong_word_changes_nothing(ada: User, tmp_path: Path) -> None:
    for words in (["--in", "violin"], ["--name", "\x1b"], ["--relay", "a:b:c"]):
        refused = ada.ask("setup", *words, "--no-test", expect=2)
        fits(refused.document, "setup.json")
    assert not (tmp_path / "config.toml").exists()


def test_nobody_is_asked_with_no_input(ada: User) -> None:
    screen = ada.at_terminal("setup", "--no-input", "--no-test", "--name", "Ada")
    assert screen.wait_end() == 0
    assert "Enter alone" not in screen.text
    assert config_of(ada) == {"name": "Ada"}


def test_a_person_is_asked(ada: User, relay: str) -> None:
    screen = ada.at_terminal("setup", "--in", "tone", "--out", "null")
    screen.wait_for("Your name, as others see it [")
    screen.type("Ada Lovelace\n")
    screen.wait_for("Relay: host, host:port, or - for none [-]:")
    screen.type("no:such:thing\n")
    screen.wait_for("Relay: host, host:port, or - for none [-]:")
    screen.type(f"{relay}\n")
    screen.wait_for("test call to yourself: works")
    screen.wait_for(f"relay {relay}: sees you at 127.0.0.1:")
    screen.wait_for("wzp listen")
    assert screen.wait_end() == 0
    said = config_of(ada)
    assert (said["name"], said["relay"]) == ("Ada Lovelace", relay)

    again = ada.at_terminal("setup", "--in", "tone", "--out", "null", "--no-test")
    again.wait_for("[Ada Lovelace]:")
    again.type("\n")
    again.wait_for(f"[{relay}]:")
    again.type("\n")
    assert again.wait_end() == 0
    assert config_of(ada) == said


def test_what_was_set_up_is_where_calls_begin(ada: User, relay: str) -> None:
    ada.ask("setup", "--relay", relay, "--no-test")
    registered = json.loads(ada.run("register", "--json").stdout)
    assert registered["result"]["relay"] == relay
