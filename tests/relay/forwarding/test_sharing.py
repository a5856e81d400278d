import os

from wzp_cli.address import Address
from wzp_cli.relay.forwarding.sharing import Alone


def test_alone_all_frames_are_ones_own() -> None:
    alone, send_id = Alone(), os.urandom(8)
    alone.tell(send_id, Address("192.0.2.1", 1), Address("192.0.2.2", 2))
    alone.forget(send_id)
    assert alone.choose() == alone.number_of(send_id) == 0
