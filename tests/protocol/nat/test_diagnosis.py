import pytest

from wzp_cli.protocol.nat.diagnosis import (
    Diagnosis,
    carrier_hop,
    offers_a_port,
    router,
    usable_port,
)
from wzp_cli.protocol.nat.facts import RouterOffers


@pytest.mark.parametrize(
    ("hops", "carrier", "expected"),
    [
        (("192.168.88.1", "100.64.0.1", "203.0.113.1"), True, 2),
        (("192.168.88.1", None, "100.127.255.254"), True, 3),
        (("192.168.88.1", "10.11.0.1"), True, 2),
        (("100.64.0.1", "203.0.113.1"), True, 1),
        (("192.168.88.1", "100.128.0.1"), True, None),
        (("192.168.88.1", "100.64.0.1"), False, None),
        (("192.168.88.1", "100.64.0.1"), None, None),
        (("192.168.88.1", "not an address"), True, None),
        (None, True, None),
    ],
)
def test_where_the_carriers_nat_stands(
    hops: tuple[str | None, ...] | None, carrier: bool | None, expected: int | None
) -> None:
    assert carrier_hop(Diagnosis(hops=hops, carrier_nat=carrier)) == expected


@pytest.mark.parametrize(
    ("hops", "expected"),
    [
        (("192.168.88.1", "203.0.113.1"), "192.168.88.1"),
        (("203.0.113.1",), None),
        ((None, "192.168.88.1"), None),
        ((), None),
        (None, None),
    ],
)
def test_the_router_that_the_user_can_set(
    hops: tuple[str | None, ...] | None, expected: str | None
) -> None:
    assert router(Diagnosis(hops=hops)) == expected


def test_a_port_on_request() -> None:
    assert offers_a_port(RouterOffers()) is None
    assert offers_a_port(RouterOffers(pcp=False)) is False
    assert offers_a_port(RouterOffers(pcp=False, upnp=True)) is True


def test_a_port_of_an_inner_router_leads_nowhere() -> None:
    offers = RouterOffers(pcp=True)
    assert usable_port(offers, False, 1) is True
    assert usable_port(offers, None, None) is True
    assert usable_port(offers, True, None) is False
    assert usable_port(offers, False, 2) is False
    assert usable_port(RouterOffers(), True, 2) is None
