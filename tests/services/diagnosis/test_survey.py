import asyncio

import pytest

from tests.services.diagnosis.test_filtering import RELAYS, ask, two_relays
from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
)
from tests.support.world import RELAY, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.diagnosis import DETECT_TIMEOUT_S
from wzp_cli.services.detect_nat import DetectSettings, NatReport, Server, detect_nat
from wzp_cli.services.diagnosis.survey import _others

KINDS = (
    *(None, FULL_CONE, ADDRESS_RESTRICTED, MASQUERADE, POISONABLE),
    *(SEQUENTIAL, RANDOM),
)


@pytest.mark.parametrize("kind", KINDS)
@scenario
async def test_under_loss_and_delay_right_or_left_open_never_wrong(
    world: World, kind: NatKind | None
) -> None:
    await two_relays(world)
    alice = await world.person("alice", kind, registers=False)
    truth = await ask(alice, RELAYS)
    world.net.delay_s, world.net.loss = 0.200, 0.1
    for _ in range(10):
        began = asyncio.get_running_loop().time()
        found = await ask(alice, RELAYS)
        took_s = asyncio.get_running_loop().time() - began
        assert took_s < DETECT_TIMEOUT_S + 0.5
        for name in ("mapping", "filtering", "allocation"):
            right, told = getattr(truth.facts, name), getattr(found.facts, name)
            fitting = {right.value, "unknown"}
            if right.value.endswith("-dependent"):
                fitting.add("endpoint-dependent")  # dependent, not told apart
            assert told.value in fitting, name
        for name in (
            *("port_preserving", "port_delta", "hairpinning"),
            *("accepts_unsolicited_input", "path_mtu_bytes"),
        ):
            assert getattr(found, name) in (getattr(truth, name), None), name


@pytest.mark.parametrize("kind", [MASQUERADE, RANDOM, FULL_CONE])
@scenario
async def test_two_seconds_where_all_answer_within_100_ms(
    world: World, kind: NatKind
) -> None:
    await two_relays(world)
    world.net.delay_s = 0.050
    alice = await world.person("alice", kind, registers=False)
    began = asyncio.get_running_loop().time()
    report = await ask(alice, RELAYS)
    assert asyncio.get_running_loop().time() - began < 2.0
    assert report.facts.filtering.value != "unknown"


@scenario
async def test_who_is_silent_is_not_waited_for_where_two_have_told_all(
    world: World,
) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    dead = [HostPort("20.9.0.9", 3478), HostPort("20.9.0.8", RELAY.port)]
    servers = [*RELAYS, Server(dead[0], "stun"), Server(dead[1], "relay")]
    began = asyncio.get_running_loop().time()
    report = await ask(alice, servers)
    assert asyncio.get_running_loop().time() - began < 2.0
    errors = {each.server: each.error for each in report.answers if each.error}
    assert errors == {str(each): "no answer" for each in dead}
    assert report.facts.mapping.value != "unknown"
    assert report.facts.filtering.value != "unknown"


def rtts_s(report: NatReport, host: str) -> list[float]:
    """How far that host is, at each of its ports."""
    seen = [each.reflection for each in report.answers if each.reflection is not None]
    return [each.rtt_s for each in seen if each.server.host == host]


@pytest.mark.parametrize("one_way_s", [0.020, 0.080, 0.150, 0.300])
@scenario
async def test_how_far_each_server_is(world: World, one_way_s: float) -> None:
    """Also where the answer comes after the next request has left."""
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    world.net.delay(alice.public_host, "20.0.0.2", one_way_s)
    far = rtts_s(await ask(alice, RELAYS), "20.0.0.2")
    assert len(far) == 2
    assert far == pytest.approx([2 * one_way_s] * 2, abs=0.002)


@scenario
async def test_the_shortest_round_trip_counts(world: World) -> None:
    """What else is done at the start makes answers wait."""
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    world.net.delay(alice.public_host, "20.0.0.2", 0.050)
    near = (alice.public_host, "20.0.0.2", 0.010)
    asyncio.get_running_loop().call_later(0.3, world.net.delay, *near)
    found = rtts_s(await ask(alice, RELAYS), "20.0.0.2")
    assert found == pytest.approx([0.020] * 2, abs=0.002)


@scenario
async def test_the_nearer_relay_is_preferred(world: World) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    world.net.delay(alice.public_host, "20.0.0.2", 0.080)
    assert (await ask(alice, RELAYS)).preferred_relay == str(RELAY)


@scenario
async def test_the_relay_before_is_preferred_where_it_was_asked(world: World) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    before = str(RELAYS[0].name)
    for servers, preferred in ((RELAYS, before), (RELAYS[1:], str(RELAY)), ([], None)):
        report = await detect_nat(
            *(alice.endpoint, servers, alice.pins, alice.interfaces, alice.report),
            DetectSettings(preferred_relay=before),
        )
        assert report.preferred_relay == preferred


def test_where_a_stun_server_may_send_us() -> None:
    at, other = Address("5.0.1.2", 3478), Address("5.0.1.3", 3479)
    assert _others(at, other) == [
        *(at._replace(port=3479), Address("5.0.1.3", 3478), other)
    ]
    assert _others(at, Address("192.168.1.1", 3479)) == [], "into our own network"
    assert _others(at, Address("2600::1", 3479)) == []
    assert _others(at, at) == []
    home = Address("192.168.1.9", 3478)
    assert len(_others(home, Address("192.168.1.10", 3479))) == 3
