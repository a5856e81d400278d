"""Networks that let no UDP out: all that wzp does, through TCP 443 of a relay."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import SiteSpec
from tests.netlab.program import Stage
from tests.netlab.test_calls import SPEECH_S, assert_heard, path_of, talk
from wzp_cli.address import Address

pytestmark = pytest.mark.netlab

RELAY = ("--tcp", "[::]:443")


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("udp-blocked", "masquerade-drop"),
        ("masquerade-drop", "udp-blocked"),
        ("udp-blocked", "udp-blocked"),
    ],
)
def test_a_call_through_tcp(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str
) -> None:
    stage = Stage(make_lab(caller, callee), tmp_path)
    relay = stage.relay("r1", *RELAY)
    calling, listening = talk(stage, SPEECH_S)
    assert_heard(stage, SPEECH_S, "a", "b")
    for program, kind in ((calling, caller), (listening, callee)):
        assert path_of(program) == ["relay"]
        transport = "tcp" if kind == "udp-blocked" else "udp"
        assert program.wait_for("registered")["transport"] == transport
        assert "lets no UDP out" in program.events[-1]["why_not_direct"]
    assert relay.wait_for("relay.stats", channels=1)["dropped"] == {}


def test_two_in_one_office_talk_straight_to_each_other(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """The office lets no UDP out; inside, nothing is in the way."""
    office = SiteSpec("a", "udp-blocked", hosts=2)
    stage = Stage(make_lab(office), tmp_path)
    stage.relay("r1", *RELAY)
    calling, listening = talk(stage, SPEECH_S, "a", "a2")
    assert path_of(calling) == path_of(listening) == ["relay", "direct"]
    assert_heard(stage, SPEECH_S, "a", "a2")


def test_what_detect_nat_and_register_say(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("udp-blocked"), tmp_path)
    relay = stage.lab.host("r1").address
    stage.relay("r1", *RELAY)
    found = stage.user("a").ask("detect-nat", *stage.at())
    assert found.exit == 0
    assert found.result["udp_blocked"] is True
    assert found.result["verdict"] == "blocked"
    assert found.result["tcp_relay"] == f"{relay}:443"
    summary = f"UDP blocked; calls work through TCP 443 of {relay}"
    assert found.result["summary"] == summary

    registered = stage.user("a").ask("register", *stage.at())
    assert registered.exit == 0
    where, _, transport = registered.result["reflexive"].partition("/")
    assert Address.parse(where).host == stage.lab.site("a").public
    assert transport == "tcp"


def test_another_port_is_learned_while_udp_still_works(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    stage.relay("r1", "--tcp", "[::]:8443")
    user = stage.user("a")
    assert user.ask("register", *stage.at()).exit == 0
    (nat,) = stage.lab.site("a").nats
    rule = "insert rule inet filter forward meta l4proto udp drop"
    assert nat.run(["nft", *rule.split()]).returncode == 0
    registered = user.ask("register", *stage.at())
    assert registered.result["reflexive"].endswith("/tcp")
