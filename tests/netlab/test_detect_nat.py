"""The diagnosis, for every kind of NAT; and the founding fact: one socket judges right,
one for each probe does not."""

import contextlib
import secrets
import socket
import string
from collections.abc import Iterator
from typing import Any

import pytest
from aioice.stun import Class, Message, Method, parse_message

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host, Lab, SiteSpec
from tests.netlab.nats import KINDS, Layer, NatKind
from tests.netlab.program import Answer, Stage
from tests.netlab.stun_server import stun_server
from tests.netlab.truths import (
    TRUTHS,
    UNKNOWABLE_BY_ONE_STUN_SERVER,
    wrong,
    wrong_or_unknown,
)
from tests.netlab.userspace_nat import Behaviour
from wzp_cli.address import Address
from wzp_cli.defaults.relay import RELAY_DEFAULT_PORT, RELAY_EXTRA_PORTS
from wzp_cli.protocol.nat import Mapping, Reflection, classify_mapping

pytestmark = pytest.mark.netlab

SITES = dict(zip(KINDS, string.ascii_lowercase, strict=False))
RELAYS = ("r1", "r2")
ANSWER_WAIT_S = 5.0
ROUND_TRIP_MS = 200


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One laboratory for all: nobody changes it."""
    with Lab(*SITES, hops=3) as lab:
        stage = Stage(lab, tmp_path_factory.mktemp("detect-nat"))
        for server in RELAYS:
            stage.relay(server)
        yield stage


@pytest.fixture(scope="module")
def rfc5780(stage: Stage) -> Iterator[list[str]]:
    """The words that name a coturn with two addresses."""
    host = stage.lab.host("r3")
    with stun_server(host, stage.file("coturn")):
        yield ["--stun", host.address]


@pytest.fixture(scope="module")
def plain_stun(stage: Stage) -> Iterator[list[str]]:
    """The words that name a coturn with one address."""
    host = stage.lab.host("r1")
    with stun_server(host, stage.file("plain-stun")):
        yield ["--stun", host.address]


def detect(stage: Stage, kind: str, *words: str) -> Answer:
    return stage.user(SITES[kind]).ask("detect-nat", *stage.at(*RELAYS), *words)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "udp-blocked"])
def test_every_field_is_right_cold_and_at_once_again(stage: Stage, kind: str) -> None:
    for _ in range(2):
        answer = detect(stage, kind)
        found = answer.result
        assert wrong_or_unknown(found, TRUTHS[kind]) == {}
        assert (answer.exit, answer.document["ok"]) == (0, True)
        assert answer.document["schema"] == "wzp.detect-nat/1"
        site = stage.lab.site(SITES[kind])
        assert found["local"] == [f"{site.hosts[0].address}:{port(found)}"]
        asked = [Address.parse(each["server"]) for each in found["servers"]]
        assert len(asked) == len(RELAYS) * (1 + RELAY_EXTRA_PORTS)
        seen = [Address.parse(each["reflexive"]) for each in found["servers"]]
        assert {each.host for each in seen} == {site.public}
        assert found["hops"] == way_out(stage, kind)


def way_out(stage: Stage, kind: str) -> list[str]:
    """The routers' inner addresses, from the host to the first public one."""
    site = stage.lab.site(SITES[kind])
    provider = stage.lab.host(f"{site.name}-hop1")
    return [router.address for router in (*site.nats, provider)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "udp-blocked"])
def test_a_stun_server_with_two_addresses_shows_as_much(
    stage: Stage, rfc5780: list[str], kind: str
) -> None:
    answer = stage.user(SITES[kind]).ask("detect-nat", *rfc5780)
    assert wrong_or_unknown(answer.result, TRUTHS[kind]) == {}


@pytest.mark.parametrize(
    "kind",
    ["open", "masquerade-accept", "full-cone", "carrier", "symmetric-sequential"],
)
def test_one_plain_stun_server_leaves_open_what_it_can_not_show(
    stage: Stage, plain_stun: list[str], kind: str
) -> None:
    found = stage.user(SITES[kind]).ask("detect-nat", *plain_stun).result
    truth = {key: value for key, value in TRUTHS[kind].items() if key != "verdict"}
    assert wrong(found, truth) == {}
    missing = wrong_or_unknown(found, truth).keys()
    assert missing <= UNKNOWABLE_BY_ONE_STUN_SERVER
    assert found["filtering"] == "unknown"


def test_under_loss_and_delay_right_or_left_open_never_wrong(
    make_lab: MakeLab, stage: Stage
) -> None:
    """10 % are lost each way, and a round trip takes 200 ms."""
    kinds = ["masquerade-accept", "address-restricted", "symmetric-random"]
    sites = [
        SiteSpec(site, kind, delay_ms=ROUND_TRIP_MS / 2, loss_pct=10)
        for site, kind in zip("abc", kinds, strict=True)
    ]
    far = Stage(make_lab(*sites), stage.file("far"))
    for server in RELAYS:
        far.relay(server)
    for site in 2 * sites:
        found = far.user(site.name).ask("detect-nat", *far.at(*RELAYS)).result
        truth = dict(TRUTHS[site.nat.name])
        del truth["verdict"]
        false = wrong(found, truth)
        if false.get("filtering") == "endpoint-dependent":  # not told apart
            del false["filtering"]
        assert false == {}
        rtts_ms = [each["rtt_ms"] for each in found["servers"] if each["reflexive"]]
        assert rtts_ms
        assert min(rtts_ms) >= ROUND_TRIP_MS


def test_ipv6_and_its_firewall_and_a_narrow_link(
    make_lab: MakeLab, stage: Stage
) -> None:
    """Behind the router a firewall stands and no NAT; its link is a tunnel's."""
    lab = make_lab("masquerade-drop", "open", ipv6=True)
    narrow = 'ip link set mtu 1420 dev "$(ip -o route show default | cut -d" " -f5)"'
    (router,) = lab.site("a").nats
    assert router.run(["sh", "-c", narrow]).returncode == 0
    six = Stage(lab, stage.file("six"))
    words = six.at(*RELAYS)
    for server in RELAYS:
        six.relay(server)
        words += ["--relay", f"[{lab.host(server).addresses_v6[0]}]"]
    walled = six.user("a").ask("detect-nat", *words).result
    assert walled["ipv6"] is True
    assert walled["filtering_v6"] == "address-and-port-dependent"
    assert walled["path_mtu_bytes"] == 1420
    free = six.user("b").ask("detect-nat", *words).result
    assert (free["ipv6"], free["filtering_v6"]) == (True, "none")
    for found, site in ((walled, "a"), (free, "b")):
        (own,) = lab.host(site).addresses_v6
        assert found["reflexive_v6"] == f"[{own}]:{port(found)}"
        assert found["mapping"] == TRUTHS[lab.site(site).kind.name]["mapping"]
    assert free["path_mtu_bytes"] == 1500


def port(found: dict[str, Any]) -> int:
    """The socket's own port."""
    (own,) = {Address.parse(local).port for local in found["local"]}
    return own


def reflexive(probe: socket.socket, server: Address) -> Address:
    """What a STUN server sees a socket at."""
    request = Message(Method.BINDING, Class.REQUEST, secrets.token_bytes(12))
    probe.sendto(bytes(request), (server.host, server.port))
    answer = parse_message(probe.recv(2048))
    assert answer.transaction_id == request.transaction_id
    return Address(*answer.attributes["XOR-MAPPED-ADDRESS"])


@contextlib.contextmanager
def udp(host: Host) -> Iterator[socket.socket]:
    with host.socket() as probe:
        probe.settimeout(ANSWER_WAIT_S)
        probe.bind((host.address, 0))
        yield probe


def test_the_same_probes_from_fresh_sockets_are_judged_wrong(stage: Stage) -> None:
    host = stage.lab.host(SITES["masquerade-drop"])
    relays = [stage.lab.host(name).address for name in RELAYS]
    ports = range(RELAY_DEFAULT_PORT, RELAY_DEFAULT_PORT + 2)
    servers = [Address(relay, port) for relay in relays for port in ports]
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(udp(host))
        fresh = [stack.enter_context(udp(host)) for _ in servers]
        own = [Address(*probe.getsockname()) for probe in [one, *fresh]]
        from_one = [Reflection(at, reflexive(one, at), 0.0) for at in servers]
        from_fresh = [
            Reflection(at, reflexive(probe, at), 0.0)
            for at, probe in zip(servers, fresh, strict=True)
        ]
    assert classify_mapping(own, from_one) is Mapping.ENDPOINT_INDEPENDENT
    assert classify_mapping(own, from_fresh) is Mapping.ADDRESS_AND_PORT_DEPENDENT
    # The NAT kept each port: what changed is only the socket that was measured.
    assert [each.reflexive.port for each in from_fresh] == [p.port for p in own[1:]]


def test_the_port_stays_the_same_from_run_to_run(stage: Stage) -> None:
    runs = [detect(stage, "full-cone").result for _ in range(2)]
    assert port(runs[0]) == port(runs[1])
    assert runs[0]["reflexive"] == runs[1]["reflexive"]


def test_what_was_expected_decides_the_exit_code(stage: Stage) -> None:
    right = detect(stage, "masquerade-drop", "--expect", "endpoint-independent")
    assert (right.exit, right.document["error"]) == (0, None)
    wrong = detect(stage, "fully-random", "--expect", "endpoint-independent")
    assert (wrong.exit, wrong.document["ok"]) == (3, False)
    assert wrong.document["error"]["code"] == "requirement"
    assert wrong.result["mapping"] == "address-and-port-dependent"


def test_where_no_relay_answers_the_document_is_whole(stage: Stage) -> None:
    answer = detect(stage, "udp-blocked")
    assert (answer.exit, answer.document["ok"]) == (4, False)
    assert answer.document["error"]["code"] == "relay_unreachable"
    found = answer.result
    assert wrong_or_unknown(found, TRUTHS["udp-blocked"]) == {}
    assert found.keys() == detect(stage, "open").result.keys()
    asked = {each["server"].partition(":")[0]: each for each in found["servers"]}
    assert asked.keys() == {stage.lab.host(name).address for name in RELAYS}
    assert all(each["error"] and not each["reflexive"] for each in asked.values())


def test_servers_that_are_down_are_told_from_udp_that_is_blocked(
    stage: Stage,
) -> None:
    """Their hosts say that nobody has the port: so UDP has reached them."""
    host = stage.lab.host("r3")
    nobody = [f"{address}:9" for address in host.addresses]
    words = [word for server in nobody for word in ("--stun", server)]
    answer = stage.user(SITES["masquerade-drop"]).ask("detect-nat", *words)
    assert answer.exit == 4
    assert answer.result["udp_blocked"] is False
    blocked = stage.user(SITES["udp-blocked"]).ask("detect-nat", *words)
    assert blocked.result["udp_blocked"] is True


def forgetful(lifetime_s: float, stream_s: float) -> NatKind:
    """A router that forgets what nobody has answered sooner than a stream."""
    behaviour = Behaviour(unreplied_lifetime_s=lifetime_s, lifetime_s=stream_s)
    return NatKind("forgetful", "short lifetimes", (Layer(userspace=behaviour),))


def test_how_long_a_mapping_lasts(make_lab: MakeLab, stage: Stage) -> None:
    """A kernel's stream, not its single answer; and that of the userspace NAT."""
    lab = make_lab("masquerade-drop", SiteSpec("b", forgetful(1, 8)))
    timers = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout"
    write = f"echo 3 > {timers}; echo 8 > {timers}_stream"
    (router,) = lab.site("a").nats
    assert router.run(["sh", "-c", write]).returncode == 0
    short = Stage(lab, stage.file("forgetful"))
    for server in RELAYS:
        short.relay(server)
    silences = [word for each in (1, 5, 11, 1800) for word in ("--silence", f"{each}s")]
    for site in "ab":
        answer = short.user(site).ask("detect-nat", *short.at(*RELAYS), *silences)
        found = answer.result
        assert (found["mapping_lifetime_s"], found["mapping_lost_s"]) == (5, 11)
        assert answer.document["warnings"] == []
