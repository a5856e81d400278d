import contextlib

import pytest
from aioice.stun import Class, Message, Method
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.address import Address
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.errors import RemoteProtocolError

# RFC 5769: test vectors for STUN, sections 2.1 to 2.3.
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
    "1784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
TRANSACTION_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
SEEN = Address("192.0.2.1", 32853)


def test_the_request_of_rfc_5769() -> None:
    message = stun.decode(REQUEST)
    assert message.kind == "request"
    assert message.transaction_id == TRANSACTION_ID
    assert message.username == "evtj:h6vY"
    assert not message.nominates
    assert message.mapped is None
    assert message.is_signed_with(PASSWORD)
    assert not message.is_signed_with(PASSWORD[:-1])
    assert not message.is_signed_with("")


@pytest.mark.parametrize(
    ("datagram", "seen"),
    [
        (RESPONSE_V4, SEEN),
        (RESPONSE_V6, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_responses_of_rfc_5769(datagram: bytes, seen: Address) -> None:
    message = stun.decode(datagram)
    assert message.kind == "response"
    assert message.mapped == seen
    assert message.is_signed_with(PASSWORD)


def test_a_plain_request_as_bytes() -> None:
    expected = bytes.fromhex("000100002112a442") + TRANSACTION_ID
    assert stun.encode_request(TRANSACTION_ID) == expected


def test_a_response_as_bytes() -> None:
    assert stun.encode_response(TRANSACTION_ID, SEEN) == (
        bytes.fromhex("0101000c2112a442")
        + TRANSACTION_ID
        + bytes.fromhex("002000080001a147e112a643")
    )


@pytest.mark.parametrize("seen", [SEEN, Address("2001:db8::1", 1)])
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_response_is_read_as_it_was_written(
    seen: Address, password: str | None
) -> None:
    message = stun.decode(stun.encode_response(TRANSACTION_ID, seen, password))
    assert (message.kind, message.mapped) == ("response", seen)
    assert message.transaction_id == TRANSACTION_ID
    assert message.is_signed_with(PASSWORD) is (password is not None)


def test_a_link_local_address_is_told_without_its_scope() -> None:
    seen = Address("fe80::1%eth0", 5)
    message = stun.decode(stun.encode_response(TRANSACTION_ID, seen))
    assert message.mapped == Address("fe80::1", 5)


@pytest.mark.parametrize("nominates", [False, True])
def test_a_check_is_read_as_it_was_written(nominates: bool) -> None:
    datagram = stun.encode_check(TRANSACTION_ID, "a:b", PASSWORD, nominates=nominates)
    message = stun.decode(datagram)
    assert (message.kind, message.username) == ("request", "a:b")
    assert message.nominates is nominates
    assert message.is_signed_with(PASSWORD)
    assert not message.is_signed_with("another")
    assert datagram[-8:-4] == b"\x80\x28\x00\x04"  # FINGERPRINT, the last


def test_an_indication_asks_for_nothing() -> None:
    message = stun.decode(stun.encode_indication())
    assert (message.kind, message.username) == ("indication", "")


def test_transaction_ids_are_random() -> None:
    ids = {stun.new_transaction_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(each) for each in ids} == {stun.TRANSACTION_ID_BYTES}


def test_an_ipv4_mapped_address_is_unmapped() -> None:
    message = Message(Method.BINDING, Class.RESPONSE, TRANSACTION_ID)
    message.attributes["XOR-MAPPED-ADDRESS"] = ("::ffff:192.0.2.1", 32853)
    assert stun.decode(bytes(message)).mapped == SEEN


def test_an_old_server_says_mapped_address() -> None:
    message = Message(Method.BINDING, Class.RESPONSE, TRANSACTION_ID)
    message.attributes["MAPPED-ADDRESS"] = tuple(SEEN)
    assert stun.decode(bytes(message)).mapped == SEEN
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.7", 7)
    assert stun.decode(bytes(message)).mapped == Address("192.0.2.7", 7)


def test_port_0_is_no_address() -> None:
    message = Message(Method.BINDING, Class.RESPONSE, TRANSACTION_ID)
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 0)
    with pytest.raises(RemoteProtocolError):
        stun.decode(bytes(message))


@pytest.mark.parametrize("datagram", [REQUEST, RESPONSE_V4, RESPONSE_V6])
def test_every_cut_is_refused(datagram: bytes) -> None:
    for size in range(len(datagram)):
        with pytest.raises(RemoteProtocolError):
            stun.decode(datagram[:size])
    with pytest.raises(RemoteProtocolError):
        stun.decode(datagram + b"\0")


@pytest.mark.parametrize("datagram", [REQUEST, RESPONSE_V4, RESPONSE_V6])
def test_every_damage_is_refused_or_unsigned(datagram: bytes) -> None:
    for at in range(len(datagram) - 8):  # FINGERPRINT follows the signature
        damaged = datagram[:at] + bytes([datagram[at] ^ 4]) + datagram[at + 1 :]
        with contextlib.suppress(RemoteProtocolError):
            assert not stun.decode(damaged).is_signed_with(PASSWORD)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        bytes(20),
        REQUEST[:4] + bytes(4) + REQUEST[8:],  # no cookie
        b"\x00\x03" + stun.encode_request(TRANSACTION_ID)[2:],  # Allocate
        b"\x00\x0f" + stun.encode_request(TRANSACTION_ID)[2:],  # unknown
    ],
)
def test_other_messages_are_refused(datagram: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        stun.decode(datagram)


@given(st.binary(max_size=200), st.sampled_from([0x0001, 0x0101, 0x0111, 0x0011]))
def test_any_attributes_may_arrive(attributes: bytes, kind: int) -> None:
    head = kind.to_bytes(2, "big") + len(attributes).to_bytes(2, "big")
    with contextlib.suppress(RemoteProtocolError):
        message = stun.decode(head + b"\x21\x12\xa4\x42" + TRANSACTION_ID + attributes)
        assert not message.is_signed_with(PASSWORD)
