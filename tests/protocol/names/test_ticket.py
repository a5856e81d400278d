import base64
import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.paths import MAX_CANDIDATES
from wzp_cli.defaults.program import MAX_TEXT_CHARACTERS, MAX_TICKET_CHARACTERS
from wzp_cli.errors import IdentityError, LocalProtocolError, UsageError
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.names.ticket import Ticket

ALICE = Keypair.from_seed(b"\1" * 32)
MALLORY = Keypair.from_seed(b"\2" * 32)
NOW = 1_800_000_000.0
FULL = Ticket(
    ALICE.identity,
    relay=HostPort("r1.example", 4433),
    direct=(Address("203.0.113.7", 41822), Address("2001:db8::1", 41822)),
    name="Ada & Co",
    expires=1_800_000_001,
)
FULL_TEXT = FULL.format(ALICE)

ADDRESSES = st.builds(
    Address,
    (st.ip_addresses() | st.ip_addresses(v=4))
    .filter(lambda ip: not (ip.version == 6 and ip.ipv4_mapped))
    .map(str),
    st.integers(1, 65535),
    st.just(0),
)
RELAYS = st.builds(
    HostPort,
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", fullmatch=True)
    | st.ip_addresses().map(str),
    st.integers(1, 65535),
    st.none() | st.integers(1, 65535),
)
TICKETS = st.builds(
    Ticket,
    st.just(ALICE.identity),
    relay=st.none() | RELAYS,
    direct=st.lists(ADDRESSES, max_size=MAX_CANDIDATES).map(tuple),
    name=st.text(max_size=80).map(clean),
    expires=st.none() | st.integers(int(NOW) + 1, 999_999_999_999),
)


def signed(parameters: str, keypair: Keypair = ALICE) -> str:
    """Return a ticket of Alice's with any parameters, properly signed by `keypair`."""
    text = f"wzp:{ALICE.identity}?{parameters}"
    signature = keypair.sign(b"wzp ticket 1\0" + text.encode())
    return f"{text}&sig={base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@given(TICKETS)
def test_what_is_written_can_be_read(ticket: Ticket) -> None:
    text = ticket.format(ALICE)
    assert Ticket.parse(text, NOW) == ticket
    assert text.isascii()
    assert not any(character.isspace() for character in text)


def test_an_identity_alone_needs_no_signature() -> None:
    text = f"wzp:{ALICE.identity}"
    assert Ticket(ALICE.identity).format() == text
    assert Ticket.parse(text + "\n", NOW) == Ticket(ALICE.identity)


def test_the_form_is_pinned() -> None:
    parameters = (
        "relay=r1.example:4433&direct=203.0.113.7:41822&direct=[2001:db8::1]:41822"
        "&name=Ada%20%26%20Co&exp=1800000001"
    )
    assert signed(parameters) == FULL_TEXT


@given(st.integers(0, len(FULL_TEXT) - 1), st.characters(codec="ascii"))
def test_any_change_of_a_character_is_refused(position: int, character: str) -> None:
    changed = FULL_TEXT[:position] + character + FULL_TEXT[position + 1 :]
    if changed != FULL_TEXT:
        with pytest.raises((UsageError, IdentityError)):
            Ticket.parse(changed, NOW)


def test_any_cut_is_refused_unless_only_the_identity_is_left() -> None:
    alone = len(f"wzp:{ALICE.identity}")
    for end in range(len(FULL_TEXT)):
        if end != alone:
            with pytest.raises((UsageError, IdentityError)):
                Ticket.parse(FULL_TEXT[:end], NOW)


@given(st.text() | st.text().map(lambda text: f"wzp:{ALICE.identity}?{text}"))
def test_anything_else_is_refused_with_our_errors(text: str) -> None:
    if text != f"wzp:{ALICE.identity}?":
        with pytest.raises((UsageError, IdentityError)):
            Ticket.parse(text, NOW)


@given(st.text(st.characters(codec="ascii", exclude_characters="\n")))
def test_what_the_owner_signed_is_read_or_refused_with_our_errors(text: str) -> None:
    with contextlib.suppress(UsageError, IdentityError):
        Ticket.parse(signed(text), NOW)


@pytest.mark.parametrize("host", ["", "[", "a b", "ä", "a/b", "\x1b[31m", "a" * 254])
def test_a_relay_with_no_proper_name_is_refused(host: str) -> None:
    ticket = Ticket(ALICE.identity, relay=HostPort(host, 4433))
    with pytest.raises(UsageError, match="relay"):
        Ticket.parse(ticket.format(ALICE), NOW)


def test_a_ticket_of_somebody_else_is_refused() -> None:
    with pytest.raises(IdentityError, match="signature is wrong"):
        Ticket.parse(signed("relay=evil.example:4433", MALLORY), NOW)
    with pytest.raises(IdentityError, match="not signed"):
        Ticket.parse(f"wzp:{ALICE.identity}?relay=evil.example:4433", NOW)
    moved = FULL_TEXT.replace(str(ALICE.identity), str(MALLORY.identity))
    with pytest.raises(IdentityError):
        Ticket.parse(moved, NOW)


def test_a_signature_can_be_written_in_one_way_only() -> None:
    for text in (FULL_TEXT + "=", FULL_TEXT + "==", FULL_TEXT + "&x=y"):
        with pytest.raises(IdentityError):
            Ticket.parse(text, NOW)
    last = FULL_TEXT[-1]
    same_bytes = chr(ord(last) + 1)  # of its 6 bits, 4 mean nothing
    with pytest.raises(IdentityError):
        Ticket.parse(FULL_TEXT[:-1] + same_bytes, NOW)


def test_an_expired_ticket_is_refused() -> None:
    assert Ticket.parse(FULL_TEXT, NOW + 0.9) == FULL
    with pytest.raises(IdentityError, match="expired"):
        Ticket.parse(FULL_TEXT, NOW + 1)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("relay", "without a value"),
        ("relay=r1.example", "relay"),
        ("relay=r1.example:0", "relay"),
        ("relay=a:1&relay=b:1", "more than once"),
        ("relay=a:1&tcp=1&tcp=2", "more than once"),
        ("relay=a:1&tcp=0", "relay"),
        ("relay=a:1&tcp=a:1", "relay"),
        ("name=a&name=b", "more than once"),
        ("exp=1800000001&exp=9", "more than once"),
        ("exp=0x10", "expiry"),
        ("exp=-1", "expiry"),
        ("exp=1e9", "expiry"),
        ("exp=" + "9" * 5000, "characters"),
        ("direct=r1.example:4433", "direct address"),
        ("direct=192.0.2.1", "direct address"),
        ("direct=[fe80::1%25eth0]:4433", "direct address"),
        ("name=%ff", "UTF-8"),
    ],
)
def test_what_the_owner_may_not_say(parameters: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Ticket.parse(signed(parameters), NOW)


def test_what_a_newer_version_says_is_passed_over() -> None:
    ticket = Ticket.parse(signed("relay=a:1&token=xyz"), NOW)
    assert ticket == Ticket(ALICE.identity, relay=HostPort("a", 1))


def test_where_a_relay_takes_websockets() -> None:
    ticket = Ticket(ALICE.identity, relay=HostPort("a", 1, tcp=8443))
    assert "?relay=a:1&tcp=8443&sig=" in ticket.format(ALICE)
    assert Ticket.parse(signed("relay=a:1&tcp=8443"), NOW) == ticket
    assert Ticket.parse(signed("tcp=8443"), NOW).relay is None


def test_names_are_cleaned() -> None:
    ticket = Ticket.parse(signed("name=%1b[31mAda%0a%e2%80%ae"), NOW)
    assert ticket.name == "[31mAda"


def test_addresses_are_written_in_one_way() -> None:
    ticket = Ticket.parse(signed("direct=[2001:DB8:0::1]:9999"), NOW)
    assert ticket.direct == (Address("2001:db8::1", 9999),)


def test_only_the_owner_signs() -> None:
    for keypair in (None, MALLORY):
        with pytest.raises(LocalProtocolError):
            FULL.format(keypair)


def test_the_longest_ticket_is_not_too_long() -> None:
    highest = str(ipaddress.IPv6Address(2**128 - 1))
    ticket = Ticket(
        ALICE.identity,
        relay=HostPort("a" * 253, 65535, 65535),
        direct=(Address(highest, 65535),) * MAX_CANDIDATES,
        name="\U0001f600" * MAX_TEXT_CHARACTERS,
        expires=999_999_999_999,
    )
    text = ticket.format(ALICE)
    assert len(text) <= MAX_TICKET_CHARACTERS
    assert Ticket.parse(text, NOW) == ticket
