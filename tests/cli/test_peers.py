from pathlib import Path

import pytest

from wzp_cli.adapters.disk.state import Contact, State, open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.peers import Peer, find_peer
from wzp_cli.errors import IdentityError, UsageError
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.ticket import Ticket

BOB = Keypair.generate()
RELAY = HostPort("relay.example", 4433)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path / "state")


def test_a_contact_by_name_in_any_case(state: State) -> None:
    state.contacts.add(Contact("Bob", BOB.identity, RELAY))
    assert find_peer("bob", state) == Peer(BOB.identity, RELAY)


def test_an_identity_a_ticket_and_an_address(state: State) -> None:
    assert find_peer(str(BOB.identity), state) == Peer(BOB.identity)
    bare = Ticket(BOB.identity).format()
    assert find_peer(bare, state) == Peer(BOB.identity)
    signed = Ticket(BOB.identity, RELAY).format(BOB)
    assert find_peer(signed, state) == Peer(BOB.identity, RELAY)
    where = HostPort("2001:db8::1", 5)
    assert find_peer("[2001:db8::1]:5", state) == Peer(None, direct=where)


def test_a_ticket_that_a_shell_has_cut_gets_a_hint(state: State) -> None:
    cut = Ticket(BOB.identity, RELAY).format(BOB).partition("&")[0]
    with pytest.raises(IdentityError) as caught:
        find_peer(cut, state)
    assert "quotes" in caught.value.__notes__[0]


@pytest.mark.parametrize("text", ["carol", "wzp1x", "wzp:", "host:", "a b", ""])
def test_what_names_nobody(text: str, state: State) -> None:
    with pytest.raises(UsageError):
        find_peer(text, state)


def test_who_is_on_the_lan_is_a_contact_or_begins_so(state: State) -> None:
    state.contacts.add(Contact("Bob", BOB.identity, RELAY))
    whole = str(BOB.identity)
    known = Peer(BOB.identity, on_lan=whole)
    for text in ("bob@lan", f"{BOB.identity.short}@lan"):
        assert find_peer(text, state) == known
    state.contacts.remove("bob")
    assert find_peer(f"{whole}@lan", state) == Peer(None, on_lan=whole)
    for text in ("bob@lan", "@lan", "wzp:x@lan"):
        with pytest.raises(UsageError, match="wzp lan"):
            find_peer(text, state)
