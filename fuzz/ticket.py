"""Tickets: taken if their own identity has signed them, and then said again the same.

The first byte says whether we sign what follows with the right key, another, or not.
"""

from fuzz._script import Script
from wzp_cli.errors import IdentityError, LocalProtocolError, UsageError
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.names.ticket import Ticket, _format_signature, _signed

__all__ = ["SEEDS", "one"]

_KEYPAIR = Keypair.from_seed(bytes(range(32)))
_OTHER = Keypair.from_seed(bytes(32))
_WHO = f"wzp:{_KEYPAIR.identity}"
_NOW_S = 1_700_000_000.0

_FULL = (
    "relay=relay.example:4433&direct=192.0.2.1:5000&direct=[2001:db8::1]:9"
    "&name=Al%C3%ACce&exp=1800000000&later=1"
)

SEEDS = (
    b"\0" + _WHO.encode(),
    b"\0" + str(_KEYPAIR.identity).encode(),
    b"\1" + _FULL.encode(),
    b"\2" + _FULL.encode(),
    b"\1name=%ff",
    b"\1exp=5",
    b"\0" + f"{_WHO}?{_FULL}&sig=AAAA".encode(),
)


def one(data: bytes) -> None:
    """Read one ticket, and one identity."""
    script = Script(data)
    signed = script.byte() % 3
    text = script.rest().decode("utf-8", "surrogateescape")
    if signed:
        text = _with_signature(text, _KEYPAIR if signed == 1 else _OTHER)
    else:
        _read_identity(text)
    try:
        ticket = Ticket.parse(text, _NOW_S)
    except UsageError as error:
        assert str(error)
        return
    except IdentityError:
        assert signed != 1 or "expired" in str(_why(text))
        return
    says_where = ticket.relay or ticket.direct or ticket.name or ticket.expires
    assert signed != 2, "another's signature was taken"
    assert not says_where or signed == 1 or "&sig=" in text
    assert ticket.name == clean(ticket.name)
    _says_the_same(ticket)


def _why(text: str) -> Exception | None:
    try:
        Ticket.parse(text, _NOW_S)
    except IdentityError as error:
        return error
    return None


def _with_signature(parameters: str, keypair: Keypair) -> str:
    text = f"{_WHO}?{parameters}"
    try:
        signature = keypair.sign(_signed(text))
    except UnicodeEncodeError:
        return text
    return f"{text}&sig={_format_signature(signature)}"


def _read_identity(text: str) -> None:
    try:
        identity = Identity.parse(text)
    except UsageError:
        return
    assert Identity.parse(str(identity)) == identity


def _says_the_same(ticket: Ticket) -> None:
    """What was read, written again, is read as the same."""
    try:
        again = ticket.format(_KEYPAIR)
    except LocalProtocolError:
        assert ticket.identity != _KEYPAIR.identity
        return
    if len(again) <= 2048:
        assert Ticket.parse(again, _NOW_S) == ticket
