"""What is left of a link that is not wanted any more, or that nobody answers."""

import asyncio

import pytest

from tests.support.house import (
    House,
    house_of,
    state_of,
)
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S
from wzp_cli.errors import ConnectionLost
from wzp_cli.protocol.traversal.route import DirectRoute


def test_a_dial_given_up_leaves_nothing() -> None:
    async def scenario(house: House) -> None:
        alice, silent = house.machine(), house.mailbox()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await alice.endpoint.dial_peer(DirectRoute(silent.address), None)
        assert not any(state_of(alice.endpoint).values())
        before = alice.endpoint.now()
        with pytest.raises(ConnectionLost, match="no answer"):
            await alice.endpoint.dial_peer(DirectRoute(silent.address), None)
        assert alice.endpoint.now() - before == pytest.approx(
            HANDSHAKE_TIMEOUT_S, abs=0.01
        )
        assert not any(state_of(alice.endpoint).values())

    house_of(scenario)
