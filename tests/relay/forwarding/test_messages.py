import pytest

from tests.support.message_family import MessageFamily
from wzp_cli.address import Address
from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.protocol.messages.signal import encode
from wzp_cli.relay.forwarding.messages import (
    Account,
    ForwarderMessage,
    Passed,
    Way,
    Ways,
    pieces,
)

LONGEST = Address("2001:db8:1111:2222:3333:4444:5555:6666%eth0.1234567890", 65535)
FAMILY = MessageFamily(
    ForwarderMessage,
    [
        (
            Ways(
                open=[Way(b"12345678", Address("192.0.2.1", 1), Address("::1", 2))],
                over=[b"87654321"],
            ),
            '{"type":"ways","open":[["MTIzNDU2Nzg=",["192.0.2.1",1,0],["::1",2,0],""]],'
            '"over":["ODc2NTQzMjE="]}',
        ),
        (
            Account(
                passed=[Passed(b"12345678", 2, 260)],
                dropped={"unknown_channel": 3},
                unsent=4,
                cpu_s=0.5,
            ),
            '{"type":"account","passed":[["MTIzNDU2Nzg=",2,260]],'
            '"dropped":{"unknown_channel":3},"unsent":4,"cpu_s":0.5}',
        ),
    ],
)


@pytest.mark.parametrize(("message", "body"), FAMILY.pinned)
def test_bytes_are_as_they_were(message: Ways | Account, body: str) -> None:
    assert encode(message)[4:].decode() == body
    assert FAMILY.heard(body.encode()) == message


def test_a_list_goes_in_pieces_that_fit() -> None:
    ways = [Way(bytes(8), LONGEST, LONGEST, LONGEST.host)] * 1000
    some = [*pieces(ways)]
    assert [way for each in some for way in each] == ways
    assert [*pieces([])] == []
    for each in some:
        assert len(encode(Ways(open=each))) < MAX_MESSAGE_BYTES
