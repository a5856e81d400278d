"""The founding fact: one socket judges a NAT right, one for each probe does not."""

import contextlib
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aioice.stun import Class, Message, Method, parse_message

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host, Lab
from tests.netlab.program import Answer, Stage
from wzp_cli.address import Address
from wzp_cli.defaults import RELAY_DEFAULT_PORT, RELAY_EXTRA_PORTS
from wzp_cli.protocol.nat import Mapping, Reflection, classify_mapping

pytestmark = pytest.mark.netlab

SITES = {
    "open": "a",
    "masquerade-drop": "b",
    "fully-random": "c",
    "full-cone": "d",
    "carrier": "e",
}
RELAYS = ("r1", "r2")
ANSWER_WAIT_S = 5.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One laboratory for all: nobody changes it."""
    with Lab(*SITES) as lab:
        stage = Stage(lab, tmp_path_factory.mktemp("detect-nat"))
        for server in RELAYS:
            stage.relay(server)
        yield stage


def detect(stage: Stage, kind: str, *words: str) -> Answer:
    return stage.user(SITES[kind]).ask("detect-nat", *stage.at(*RELAYS), *words)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("masquerade-drop", ("endpoint-independent", True, "preserving", "likely")),
        ("full-cone", ("endpoint-independent", True, "preserving", "likely")),
        ("carrier", ("endpoint-independent", True, "preserving", "likely")),
        ("open", ("none", True, "preserving", "likely")),
        ("fully-random", ("address-and-port-dependent", False, "random", "limited")),
    ],
)
def test_a_nat_is_judged_from_the_one_socket(
    stage: Stage, kind: str, expected: tuple[str, bool, str, str]
) -> None:
    answer = detect(stage, kind)
    found = answer.result
    told = ("mapping", "port_preserving", "allocation", "verdict")
    assert tuple(found[key] for key in told) == expected
    assert (answer.exit, answer.document["ok"]) == (0, True)
    assert answer.document["schema"] == "wzp.detect-nat/1"
    assert found["udp_blocked"] is False
    assert found["local"] == [f"{stage.lab.host(SITES[kind]).address}:{port(found)}"]
    seen = [Address.parse(each["reflexive"]) for each in found["servers"]]
    assert len(seen) == len(RELAYS) * (1 + RELAY_EXTRA_PORTS)
    assert {each.host for each in seen} == {stage.lab.site(SITES[kind]).public}


def port(found: dict[str, Any]) -> int:
    """The socket's own port."""
    (local,) = found["local"]
    return Address.parse(local).port


def reflexive(probe: socket.socket, server: Address) -> Address:
    """What a STUN server sees a socket at."""
    request = Message(Method.BINDING, Class.REQUEST, secrets.token_bytes(12))
    probe.sendto(bytes(request), server)
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


def test_where_no_relay_answers_the_document_is_whole(
    stage: Stage, make_lab: MakeLab
) -> None:
    silent = Stage(make_lab("udp-blocked"), stage.file("silent"))
    answer = silent.user("a").ask("detect-nat", *silent.at(*RELAYS), "--timeout", "1s")
    assert (answer.exit, answer.document["ok"]) == (4, False)
    assert answer.document["error"]["code"] == "relay_unreachable"
    found = answer.result
    assert found.keys() == detect(stage, "open").result.keys()
    assert (found["mapping"], found["verdict"]) == ("unknown", "unknown")
    assert found["reflexive"] is found["port_preserving"] is None
    asked = {each["server"].partition(":")[0]: each for each in found["servers"]}
    assert asked.keys() == {silent.lab.host(name).address for name in RELAYS}
    assert all(each["error"] and not each["reflexive"] for each in asked.values())
