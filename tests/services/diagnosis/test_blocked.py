import pytest

from tests.services.diagnosis.test_filtering import RELAYS, two_relays
from tests.support.fakenet import MASQUERADE, RANDOM
from tests.support.world import RELAY, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.endpoint.sockets.wire import Fate, IcmpError
from wzp_cli.endpoint.stun.reflector import Reflector
from wzp_cli.protocol.nat import Mapping
from wzp_cli.services.detect_nat import DetectSettings, Server, detect_nat
from wzp_cli.services.diagnosis.blocked import _is_blocked

ONE, TWO = Address("20.0.0.1", 4433), Address("20.0.0.2", 4433)
HOSTS = {each.host: each for each in (ONE, TWO)}


class Look:
    """TCP, as far as it gets."""

    def __init__(self, *there: str, portal: bool | None = None) -> None:
        self.there, self.portal, self.asked = there, portal, 0

    async def reaches(self, address: Address) -> bool:
        self.asked += 1
        return address.host in self.there

    async def captive_portal(self) -> bool | None:
        return self.portal


@pytest.mark.parametrize(
    ("look", "blocked"),
    [
        (Look(ONE.host, TWO.host), True),
        (Look(ONE.host, TWO.host, portal=True), True),
        (Look(ONE.host), None),
        (Look(), None),
        (Look(portal=True), None),
    ],
)
@scenario
async def test_hosts_that_are_there_and_hear_nothing(
    world: World, look: Look, blocked: bool | None
) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    assert alice.nat is not None
    alice.nat.blocked = True
    report = await detect_nat(
        *(alice.endpoint, RELAYS, alice.pins, alice.interfaces, alice.report),
        DetectSettings(look=look),
    )
    assert report.facts.udp_blocked is blocked
    assert report.captive_portal is look.portal


@scenario
async def test_where_udp_comes_back_nobody_looks_further(world: World) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    look = Look()
    report = await detect_nat(
        *(alice.endpoint, RELAYS, alice.pins, alice.interfaces, alice.report),
        DetectSettings(look=look),
    )
    assert (report.facts.udp_blocked, report.captive_portal) == (False, None)
    assert look.asked == 0


def test_what_hosts_and_routers_say_counts_most() -> None:
    no_port = IcmpError(Fate.NO_PORT, ONE.host)
    assert _is_blocked([no_port], HOSTS, 2) is False
    router = IcmpError(Fate.NO_PORT, "192.168.1.1")
    assert _is_blocked([router], HOSTS, 2) is True
    assert _is_blocked([IcmpError(Fate.PROHIBITED, "1.1.1.1")], HOSTS, 0) is True
    assert _is_blocked([IcmpError(Fate.UNREACHABLE, "1.1.1.1")], HOSTS, 1) is None


@scenario
async def test_public_servers_help_where_one_host_alone_answers(world: World) -> None:
    await world.relay()
    public = [HostPort(f"20.9.0.{n}", 3478) for n in (1, 2)]
    for each in public:
        Reflector(world.net.host(each.host).wire(each.port))
    for kind, mapping in (
        (MASQUERADE, Mapping.ENDPOINT_INDEPENDENT),
        (RANDOM, Mapping.ADDRESS_AND_PORT_DEPENDENT),
    ):
        alice = await world.person("alice", kind, registers=False)
        report = await detect_nat(
            *(alice.endpoint, [Server(RELAY, "relay")], alice.pins),
            *(alice.interfaces, alice.report),
            DetectSettings(public_stun=tuple(public)),
        )
        assert report.facts.mapping is mapping
        asked = {each.server for each in report.answers if each.public}
        assert asked == {str(each) for each in public}


@scenario
async def test_public_servers_are_left_alone_where_two_hosts_answer(
    world: World,
) -> None:
    await two_relays(world)
    packets = world.record()
    alice = await world.person("alice", registers=False)
    report = await detect_nat(
        *(alice.endpoint, RELAYS, alice.pins, alice.interfaces, alice.report),
        DetectSettings(public_stun=(HostPort("20.9.0.1", 3478),)),
    )
    assert not [each for each in report.answers if each.public]
    assert not [p for p in packets if p.to.host == "20.9.0.1"]
