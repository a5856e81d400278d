import pytest

from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.messages.fleet import (
    Found,
    Ticket,
    Wanted,
    decode_found,
    decode_wanted,
    subject,
)
from wzp_cli.protocol.names.identity import Keypair

SECRET = "ab" * 32
WANTED = (
    b'{"call":"0123456789abcdef","secret":"' + SECRET.encode() + b'",'
    b'"caller":"wzp1x","addresses":["192.0.2.1:4433"]}'
)


def test_a_question_and_an_answer() -> None:
    assert decode_wanted(WANTED) == Wanted(
        call="0123456789abcdef",
        secret=SECRET,
        caller="wzp1x",
        addresses=("192.0.2.1:4433",),
    )
    assert decode_found(b'{"devices":["0123456789abcdef"]}') == Found(
        devices=("0123456789abcdef",)
    )
    assert decode_found(b"{}") == Found()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"[]", b"\xff", b"[" * 2000),
        WANTED.replace(b"0123456789abcdef", b"0123456789abcde\\n"),
        WANTED.replace(SECRET.encode(), b"ab"),
        WANTED.replace(b'["192.0.2.1:4433"]', b"[]"),
        WANTED.replace(b'["192.0.2.1:4433"]', b'["a","b","c","d","e"]'),
    ],
)
def test_nonsense_is_told_as_such(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_wanted(data)
    with pytest.raises(RemoteProtocolError):
        decode_found(b'{"devices":["' + data.hex().encode() + b'x"]}')


def test_a_ticket_is_for_one_device_of_one_call() -> None:
    ticket = Ticket.issue("0123456789abcdef", "d" * 16, SECRET)
    assert str(ticket) == f"0123456789abcdef.{'d' * 16}.{ticket.mac}"
    assert len(ticket.mac) == 32
    assert ticket.is_genuine(SECRET)
    assert not ticket.is_genuine("cd" * 32)
    assert not ticket._replace(device="e" * 16).is_genuine(SECRET)
    assert not ticket._replace(mac="\u00e9").is_genuine(SECRET)
    assert Ticket.parse(str(ticket)) == ticket
    for text in ("", ".", "a.b", "a.b.c.d"):
        assert Ticket.parse(text) is None


def test_a_subject_is_made_of_keys_in_their_one_spelling() -> None:
    fleet, target = Keypair.generate().identity, Keypair.generate().identity
    name = subject(fleet, target)
    assert name == f"wzp.1.{fleet}.{target}"
    assert name.count(".") == 3
    assert name.replace(".", "").isalnum()
