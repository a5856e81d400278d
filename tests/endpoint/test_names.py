"""Names, as this machine's resolver knows them."""

import asyncio

import pytest

from tests.support.house import (
    House,
    house_of,
)
from wzp_cli.address import Address, HostPort
from wzp_cli.errors import NameNotFound


def test_names_are_looked_up_for_this_socket() -> None:
    async def scenario(house: House) -> None:
        alice = house.machine()  # IPv4 only
        loop = asyncio.get_running_loop()
        loop.names["relay.example"] = [  # type: ignore[attr-defined]
            "2001:db8::1",
            "192.0.2.1",
            "192.0.2.1",
        ]
        assert await alice.endpoint.resolve(HostPort("relay.example", 4433)) == [
            Address("192.0.2.1", 4433)
        ]
        with pytest.raises(NameNotFound, match=r"nowhere\.example"):
            await alice.endpoint.resolve(HostPort("nowhere.example", 1))
        with pytest.raises(NameNotFound):
            await alice.endpoint.resolve(HostPort("a" * 70 + ".example", 1))

    house_of(scenario)
