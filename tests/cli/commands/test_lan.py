"""What is shown of neighbours; tests/netlab/test_lan.py finds some."""

import sys
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.state import Contact, State, open_state
from wzp_cli.address import Address
from wzp_cli.cli.app import run
from wzp_cli.cli.commands import lan
from wzp_cli.protocol.lan import Neighbour
from wzp_cli.protocol.names.identity import Keypair

ADA = Keypair.from_seed(b"\1" * 32).identity
BOB = Keypair.from_seed(b"\2" * 32).identity
WHERE = (Address("192.168.1.7", 41822),)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path / "state")


def test_a_contact_is_called_by_the_name_that_we_gave(state: State) -> None:
    state.contacts.add(Contact("Ada", ADA))
    shown = lan._known(Neighbour(ADA, "Eve", WHERE), state)
    assert (shown.contact, shown.name, shown.verified) == ("Ada", "Eve", False)
    assert lan._text([shown]).splitlines() == [
        "On this LAN:",
        "  Ada, a contact (not verified), at 192.168.1.7:41822",
        "    wzp call Ada@lan",
    ]


def test_a_stranger_is_called_by_their_key(state: State) -> None:
    state.contacts.add(Contact("Lady Ada", ADA))
    state.blocked.add(BOB)
    stranger = lan._known(Neighbour(BOB, "Ada", WHERE), state)
    lines = lan._text([stranger]).splitlines()
    assert lines[1:3] == [
        f'  "Ada", {BOB.short}, no contact, at 192.168.1.7:41822, blocked',
        f"    wzp call {BOB.short}@lan",
    ]
    assert "only a contact's key" in lines[3]
    spaced = lan._known(Neighbour(ADA, "", WHERE), state)
    assert f"wzp call {ADA.short}@lan" in lan._text([spaced]), "no words to quote"
    assert lan._text([]).startswith("Nobody")


def test_without_the_extra_it_is_named(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    assert run(["lan"], environ) == 7
    assert "wzp[lan]" in capsys.readouterr().err
    assert run(["call", "wzp1aaaaaa@lan"], environ) == 7
    assert run(["call", "ada@lan"], environ) == 2
