"""Bytes of PCP and NAT-PMP, as RFC 6887 and RFC 6886 draw them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.address import Address
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol import port_mapping
from wzp_cli.protocol.port_mapping import Grant

NONCE = bytes(range(12))
OWN = "10.0.0.2"
PORT = 4433
OUTSIDE = Address("11.0.0.9", 5000)

MAPPED_OWN = bytes.fromhex("00000000000000000000ffff0a000002")
MAPPED_OUTSIDE = bytes.fromhex("00000000000000000000ffff0b000009")
PCP_MAPPING = NONCE + b"\x11\0\0\0" + bytes.fromhex("11511388") + MAPPED_OUTSIDE


def pcp_answer(result: int = 0, mapping: bytes = PCP_MAPPING) -> bytes:
    header = bytes((2, 0x81, 0, result)) + bytes.fromhex("00000e10 00000007")
    return header + bytes(12) + mapping


def nat_pmp_answer(result: int = 0, port: int = PORT, external: int = 5000) -> bytes:
    numbers = (result.to_bytes(2, "big"), bytes(4), port.to_bytes(2, "big"))
    return b"\0\x81" + b"".join(numbers) + external.to_bytes(2, "big") + b"\0\0\x0e\x10"


def read_pcp(answer: bytes) -> Grant | int:
    return port_mapping.read_pcp_grant(answer, PORT, NONCE)


def read_nat_pmp(answer: bytes) -> Grant | int:
    return port_mapping.read_nat_pmp_grant(answer, PORT, OUTSIDE.host)


def test_pcp_requests() -> None:
    assert port_mapping.pcp_announce_request(OWN) == (
        bytes.fromhex("02000000 00000000") + MAPPED_OWN
    )
    assert port_mapping.pcp_map_request(OWN, PORT, NONCE, 3600, OUTSIDE) == (
        bytes.fromhex("02010000 00000e10") + MAPPED_OWN + PCP_MAPPING
    )
    ended = port_mapping.pcp_map_request(OWN, PORT, NONCE, 0, None)
    assert ended[4:8] == bytes(4)
    assert ended[42:44] == bytes(2)  # any port


def test_nat_pmp_requests() -> None:
    assert port_mapping.nat_pmp_address_request() == b"\0\0"
    assert port_mapping.nat_pmp_map_request(PORT, 3600, 5000) == bytes.fromhex(
        "0001 0000 1151 1388 00000e10"
    )


def test_grants() -> None:
    assert read_pcp(pcp_answer()) == Grant(OUTSIDE, 3600)
    assert read_nat_pmp(nat_pmp_answer()) == Grant(OUTSIDE, 3600)
    address = b"\0\x80\0\0\0\0\0\7\x0b\0\0\x09"
    assert port_mapping.read_nat_pmp_address(address) == OUTSIDE.host


@pytest.mark.parametrize(
    ("pcp", "result", "words"),
    [
        (True, 2, "not authorized"),
        (True, 12, "there is another NAT in between"),
        (True, 99, "error 99"),
        (False, 2, "not authorized"),
        (False, 4, "no resources left"),
    ],
)
def test_refusals_have_words(pcp: bool, result: int, words: str) -> None:
    answer = pcp_answer(result) if pcp else nat_pmp_answer(result, external=0)
    assert (read_pcp(answer) if pcp else read_nat_pmp(answer)) == result
    assert port_mapping.refusal(result, pcp=pcp) == words


def test_a_mapping_that_is_ended_has_no_port() -> None:
    none = PCP_MAPPING[:18] + bytes(18)
    assert port_mapping.read_pcp_end(pcp_answer(mapping=none), PORT, NONCE) == 0
    assert port_mapping.read_nat_pmp_end(nat_pmp_answer(external=0), PORT) == 0


def test_pcp_is_told_from_its_forerunner() -> None:
    """A NAT-PMP router answers PCP in its own version: RFC 6887 appendix A."""
    port_mapping.read_pcp_announce(b"\x02\x80\0\0" + bytes(20))
    port_mapping.read_pcp_announce(b"\x02\x80\0\4" + bytes(20))  # refuses ANNOUNCE
    for answer in (b"\0\x80\0\1" + bytes(20), b"\x02\x80\0\1" + bytes(20)):
        with pytest.raises(RemoteProtocolError):
            port_mapping.read_pcp_announce(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        pcp_answer()[:-1],
        b"\0" + pcp_answer()[1:],
        pcp_answer(mapping=bytes(12) + PCP_MAPPING[12:]),  # another's nonce
        pcp_answer(mapping=NONCE + b"\x06" + PCP_MAPPING[13:]),  # TCP
        pcp_answer(mapping=PCP_MAPPING[:16] + b"\0\1" + PCP_MAPPING[18:]),
        pcp_answer(mapping=PCP_MAPPING[:18] + bytes(2) + MAPPED_OUTSIDE),  # port 0
        pcp_answer(mapping=PCP_MAPPING[:20] + bytes.fromhex("2001") + bytes(14)),
        pcp_answer(mapping=PCP_MAPPING[:20] + bytes(10) + b"\xff\xff" + bytes(4)),
    ],
)
def test_what_is_no_answer_of_pcp(answer: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_pcp(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        nat_pmp_answer()[:-1],
        nat_pmp_answer(port=1),
        nat_pmp_answer(external=0),
        b"\0\x80" + nat_pmp_answer()[2:],
        b"\0\1" + nat_pmp_answer()[2:],  # a request, sent back
    ],
)
def test_what_is_no_answer_of_nat_pmp(answer: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_nat_pmp(answer)


READERS: list[Callable[[bytes], Any]] = [
    read_pcp,
    read_nat_pmp,
    port_mapping.read_pcp_announce,
    port_mapping.read_nat_pmp_address,
]


@given(st.sampled_from(READERS), st.binary(max_size=80))
def test_nothing_else_is_raised(read: Callable[[bytes], Any], answer: bytes) -> None:
    for header in (b"", b"\x02\x81\0\0", b"\0\x81\0\0", b"\0\x80\0\0"):
        try:
            read(header + answer)
        except RemoteProtocolError:
            continue
