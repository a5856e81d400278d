from dataclasses import replace
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.contacts import Blocked, Contact, Contacts, group_name
from wzp_cli.adapters.disk.state import State, open_state
from wzp_cli.address import HostPort
from wzp_cli.errors import KeyChanged, StateUnusable, UsageError
from wzp_cli.protocol.names.identity import Keypair

ALICE = Keypair.from_seed(b"\1" * 32).identity
BOB = Keypair.from_seed(b"\2" * 32).identity
ALL = Contact(
    "Ada Lovelace",
    ALICE,
    HostPort("r1.example", 4433),
    groups=("family", "work"),
    auto_answer=False,
    always_relay=True,
    verified=True,
)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path / "state")


def test_who_is_called_as_a_contact_and_has_another_key(state: State) -> None:
    contacts = state.contacts
    contacts.add(Contact("Ada Lovelace", ALICE))
    contacts.add(Contact("Bob", BOB))
    carol = Keypair.generate().identity
    assert contacts.namesake("ada lovelace", carol) == "Ada Lovelace"
    assert contacts.namesake("\u0412\u043eb", carol) == "Bob", "in Cyrillic"
    assert contacts.namesake("Carol", carol) is None
    assert contacts.namesake("", carol) is None
    assert contacts.namesake("Bob", BOB) is None
    assert contacts.namesake("Bob", ALICE) is None, "she is shown as Ada Lovelace"


def test_contacts_are_found_by_name_and_by_key(state: State) -> None:
    contacts = state.contacts
    contacts.add(Contact("Ada Lovelace", ALICE, HostPort("r1.example", 4433)))
    contacts.add(Contact("Bob", BOB))
    assert (state.directory / "contacts").read_text() == (
        f"{ALICE} r1.example:4433 Ada Lovelace\n{BOB} - Bob\n"
    )
    again = Contacts(state.directory)
    assert again.named("ada  lovelace") == Contact(
        "Ada Lovelace", ALICE, HostPort("r1.example", 4433)
    )
    assert again.of(BOB) == Contact("Bob", BOB)
    assert again.named("carol") is None
    assert again.remove("BOB")
    assert not again.remove("bob")
    assert again.of(BOB) is None


def test_a_name_stands_for_one_identity_and_an_identity_has_one_name(
    state: State,
) -> None:
    state.contacts.add(Contact("Ada", ALICE))
    with pytest.raises(UsageError, match="somebody else"):
        state.contacts.add(Contact("ADA", BOB))
    state.contacts.add(Contact("Lady Ada", ALICE))
    assert state.contacts.all() == [Contact("Lady Ada", ALICE)]


@pytest.mark.parametrize("name", ["", "\x1b", "host:4433", "wzp1abc", "wzp:x", "# a"])
def test_a_name_can_not_pass_for_an_address(state: State, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a contact"):
        state.contacts.add(Contact(name, ALICE))


def test_a_contact_can_not_add_lines(state: State) -> None:
    state.contacts.add(Contact(f"Ada\n{BOB} - Bob", ALICE))
    assert len(state.contacts.all()) == 1
    with pytest.raises(UsageError):
        state.contacts.add(Contact("Bob", BOB, HostPort("a\nb", 1)))


def test_a_name_that_would_be_read_as_a_setting_is_damaged_from_the_start(
    state: State,
) -> None:
    # What can't be seen is taken out of a name; written anew, it began with "b:".
    (state.directory / "contacts").write_text(f"{ALICE} - \x1b b:c\n")
    with pytest.raises(StateUnusable, match=r"Line 1 of .*contacts is damaged"):
        state.contacts.all()


def test_a_group_is_read_as_it_was_written() -> None:
    longest = group_name("\u0130" * 64)  # whose lower case is longer
    assert group_name(longest) == longest


def test_a_damaged_contact_is_named(state: State) -> None:
    (state.directory / "contacts").write_text(f"{ALICE} Ada\n")
    with pytest.raises(StateUnusable, match=r"Line 1 of .*contacts"):
        state.contacts.of(ALICE)


def test_everything_that_is_said_comes_back(state: State) -> None:
    state.contacts.add(replace(ALL, groups=("Work", "family", "work")))
    assert (state.directory / "contacts").read_text() == (
        f"{ALICE} r1.example:4433 group:family group:work auto-answer:no"
        " always-relay:yes verified:yes Ada Lovelace\n"
    )
    assert state.contacts.all() == [ALL]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "-",
        "- group:work",
        "- group: Ada",
        "- auto-answer:maybe Ada",
        "- auto-answer:yes auto-answer:no Ada",
        "- verified:no-idea Ada",
        "- colour:red Ada",
        "host Ada",
        "- \x1b\u202e",
    ],
)
def test_a_damaged_line_is_told_and_never_lost(state: State, rest: str) -> None:
    path = state.directory / "contacts"
    path.write_text(f"# friends\n{BOB} - Bob\n{ALICE} {rest}\n")
    before = path.read_bytes()
    for use in (
        state.contacts.all,
        lambda: state.contacts.add(Contact("Ada", ALICE)),
        lambda: state.contacts.remove("Bob"),
        lambda: state.contacts.change(BOB, lambda contact: contact),
    ):
        with pytest.raises(StateUnusable, match=r"Line 3 of .*contacts is damaged"):
            use()
    assert path.read_bytes() == before


def test_a_settings_name_can_not_be_a_contacts_name(state: State) -> None:
    with pytest.raises(UsageError, match="no name for a contact"):
        state.contacts.add(Contact("verified:yes Eve", ALICE))


@pytest.mark.parametrize("group", ["", "two words", "a:b", "\x1b"])
def test_a_groups_name_is_one_plain_word(group: str) -> None:
    with pytest.raises(UsageError, match="no name for a group"):
        group_name(group)


def test_the_key_of_a_verified_contact_is_not_replaced(state: State) -> None:
    state.contacts.add(Contact("Ada", ALICE, verified=True))
    with pytest.raises(KeyChanged, match="has another key") as caught:
        state.contacts.add(Contact("ada", BOB))
    assert caught.value.exit_code == 6
    assert state.contacts.all() == [Contact("Ada", ALICE, verified=True)]


def test_a_contact_is_changed_in_place(state: State) -> None:
    state.contacts.add(Contact("Ada", ALICE))
    state.contacts.add(Contact("Bob", BOB))
    trusted = state.contacts.change(ALICE, lambda each: replace(each, verified=True))
    assert trusted == Contact("Ada", ALICE, verified=True)
    assert [each.name for each in state.contacts.all()] == ["Ada", "Bob"]
    assert state.contacts.remove("Ada")
    assert state.contacts.change(ALICE, lambda each: each) is None


def test_contacts_by_the_beginning_of_their_identity(state: State) -> None:
    state.contacts.add(Contact("Ada", ALICE))
    state.contacts.add(Contact("Bob", BOB))
    assert [each.name for each in state.contacts.beginning(ALICE.short)] == ["Ada"]
    assert [each.name for each in state.contacts.beginning(str(BOB)[:9])] == ["Bob"]
    assert len(state.contacts.beginning("")) == 2


def test_who_is_blocked_is_kept_with_a_harmless_name(state: State) -> None:
    assert state.blocked.add(ALICE, f"Eve\n{BOB}\x1b")
    assert not state.blocked.add(ALICE, "again")
    assert state.blocked.add(BOB)
    assert Blocked(state.directory).all() == {ALICE: f"Eve {BOB}"[:64], BOB: ""}
    assert state.blocked.remove(ALICE)
    assert not state.blocked.remove(ALICE)
    assert (state.directory / "blocked").read_text() == f"{BOB}\n"
