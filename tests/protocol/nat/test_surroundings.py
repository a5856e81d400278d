import pytest

from wzp_cli.address import Address
from wzp_cli.protocol.nat.facts import Mapping
from wzp_cli.protocol.nat.surroundings import carrier_nat, nat_layers, preferred_relay

EI, NONE, UNKNOWN = Mapping.ENDPOINT_INDEPENDENT, Mapping.NONE, Mapping.UNKNOWN
HOME, PUBLIC = Address("192.168.1.2", 5000), Address("11.0.0.2", 5000)
AT_CARRIER = Address("100.64.3.2", 5000)
ROUTER, SECOND, CARRIER, OUTSIDE = "192.168.1.1", "10.0.0.1", "100.64.0.1", "11.0.0.1"


@pytest.mark.parametrize(
    ("mapping", "own", "hops", "layers", "carrier"),
    [
        (EI, HOME, [ROUTER, OUTSIDE], 1, False),
        (EI, HOME, [ROUTER, CARRIER, OUTSIDE], 2, True),
        (EI, AT_CARRIER, [CARRIER, OUTSIDE], 1, True),
        (EI, HOME, [ROUTER, SECOND, OUTSIDE], None, None),
        (EI, HOME, [ROUTER, None, OUTSIDE], None, None),
        (EI, HOME, [ROUTER], None, None),
        (EI, HOME, [ROUTER, CARRIER], None, True),
        (EI, HOME, [], None, None),
        (EI, PUBLIC, [OUTSIDE], None, False),
        (NONE, PUBLIC, [OUTSIDE], 0, False),
        (NONE, PUBLIC, [], 0, None),
        (UNKNOWN, HOME, [ROUTER, OUTSIDE], 1, False),
        (UNKNOWN, PUBLIC, [OUTSIDE], None, False),
        (EI, HOME, [ROUTER, CARRIER, CARRIER, OUTSIDE], None, True),
    ],
)
def test_what_the_way_out_tells(
    mapping: Mapping,
    own: Address,
    hops: list[str | None],
    layers: int | None,
    carrier: bool | None,
) -> None:
    assert nat_layers(mapping, [own], hops) == layers
    assert carrier_nat([own], hops) is carrier


@pytest.mark.parametrize(
    ("before", "rtts_ms", "after"),
    [
        (None, {}, None),
        ("a", {}, "a"),
        (None, {"a": 30, "b": 20}, "b"),
        ("a", {"a": 30, "b": 20.1}, "a"),  # not 10 ms
        ("a", {"a": 60, "b": 41}, "a"),  # not a third
        ("a", {"a": 30, "b": 19.9}, "b"),
        ("a", {"a": 60, "b": 39.9}, "b"),
        ("a", {"b": 90}, "b"),  # the one before is silent
        ("c", {"c": 5, "b": 0.1}, "c"),
    ],
)
def test_a_relay_is_kept_unless_another_is_much_better(
    before: str | None, rtts_ms: dict[str, float], after: str | None
) -> None:
    rtts_s = {relay: ms / 1000 for relay, ms in rtts_ms.items()}
    assert preferred_relay(before, rtts_s) == after
