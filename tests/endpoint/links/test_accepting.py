"""Who is taken in through channels; test_admission.py has the crowds."""

import pytest

from tests.support.house import (
    House,
    house_of,
)
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.errors import ConnectionLost


def test_a_channel_that_was_not_announced_admits_nobody() -> None:
    async def scenario(house: House) -> None:
        alice, bob, relay = (house.machine() for _ in range(3))
        bob.endpoint.accept_peers(Strangers.REFUSED)
        there, back = house.channel(relay, alice, bob)
        alice.endpoint.open_channel(there, admits=False)
        for open_channel in (False, True):
            if open_channel:
                bob.endpoint.open_channel(back, admits=False)
            with pytest.raises(ConnectionLost, match="no answer"):
                await alice.endpoint.dial_peer(there, None)
            assert not bob.endpoint.links

    house_of(scenario)
