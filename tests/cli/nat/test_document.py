import msgspec

from tests.cli.nat.samples import BLOCKED, HOME, MAPPED, PHONE
from wzp_cli.address import Address
from wzp_cli.cli.nat.document import (
    AskedServer,
    PortMappings,
    changed_keys,
    detected,
    diagnosis_of,
    judged,
)
from wzp_cli.protocol.nat import Allocation, Filtering, Mapping, NatFacts, Reflection
from wzp_cli.services.detect_nat import NatReport, ServerAnswer

SEEN = Address("203.0.113.7", 41822)
ANSWERED = ServerAnswer(
    "r1.example:4433", "relay", Reflection(Address("192.0.2.1", 4433), SEEN, 0.02131)
)
SILENT = ServerAnswer("r2.example:4433", "relay", None, "no answer")
REPORT = NatReport(
    local=(Address("192.168.88.10", 41822),),
    answers=(ANSWERED, SILENT),
    facts=NatFacts(
        Mapping.ENDPOINT_INDEPENDENT,
        Filtering.ADDRESS_AND_PORT_DEPENDENT,
        Allocation.PRESERVING,
        udp_blocked=False,
    ),
    port_preserving=True,
    port_delta=None,
    reflexive=SEEN,
    reflexive_v6=None,
)


def test_a_report_as_a_document() -> None:
    document = detected(REPORT, None)
    assert (document.verdict, document.summary) == ("likely", "Direct calls: likely")
    assert document.local == ["192.168.88.10:41822"]
    assert document.reflexive == "203.0.113.7:41822"
    assert document.mapping == "endpoint-independent"
    assert document.filtering == "address-and-port-dependent"
    assert document.port_mapping == PortMappings()
    assert document.forecast["random"] == "search, up to 12 s"
    assert document.servers == [
        AskedServer(
            server="r1.example:4433",
            kind="relay",
            reflexive="203.0.113.7:41822",
            rtt_ms=21.3,
            error=None,
        ),
        AskedServer(
            server="r2.example:4433",
            kind="relay",
            reflexive=None,
            rtt_ms=None,
            error="no answer",
        ),
    ]
    assert document.through == "detect-nat"


def test_a_router_that_maps_ports_is_reached_by_everybody() -> None:
    document = detected(REPORT, {"pcp": False, "nat-pmp": True, "upnp": None})
    assert document.port_mapping == PortMappings(pcp=False, nat_pmp=True, upnp=None)
    assert set(document.forecast.values()) == {"direct"}


def test_a_port_of_a_router_inside_a_carriers_nat_is_of_no_use() -> None:
    assert diagnosis_of(PHONE).facts.port_mapped is False
    assert PHONE.verdict == "limited"
    assert [each.code for each in PHONE.advice] == ["public-address", "ipv6"]
    assert [each.code for each in PHONE.reasons] == ["mapping-random", "carrier-nat"]


def test_a_document_says_all_that_rules_want() -> None:
    known = diagnosis_of(MAPPED)
    assert known.facts == NatFacts(
        Mapping.ENDPOINT_INDEPENDENT,
        Filtering.ADDRESS_AND_PORT_DEPENDENT,
        Allocation.PRESERVING,
        port_mapped=True,
        udp_blocked=False,
    )
    assert (known.ipv6.reachable, known.answers) == (True, 2)
    assert (known.local, known.reflexive) == (("192.168.88.10",), "203.0.113.7")


def test_what_a_document_should_not_say_is_passed_over() -> None:
    odd = msgspec.structs.replace(
        HOME, mapping="quantum", local=["nobody", "10.0.0.1:9"], reflexive="x:y:z"
    )
    known = diagnosis_of(odd)
    assert known.facts.mapping is Mapping.UNKNOWN
    assert (known.local, known.reflexive) == (("10.0.0.1",), None)


def test_what_has_changed() -> None:
    change = msgspec.structs.replace
    slower = [change(each, rtt_ms=99.0) for each in HOME.servers]
    assert changed_keys(HOME, change(HOME, servers=slower)) == []
    silent = [change(each, reflexive=None, error="no answer") for each in HOME.servers]
    assert changed_keys(HOME, change(HOME, servers=silent)) == ["servers"]
    moved = change(HOME, reflexive="192.0.2.1:1", nat_layers=2)
    assert changed_keys(HOME, moved) == ["reflexive", "nat_layers"]


def test_where_udp_is_blocked_the_verdict_names_the_relay_to_go_through() -> None:
    replace = msgspec.structs.replace
    found = replace(BLOCKED, tcp_relay="[2001:db8::1]:443")
    said = judged(found)
    assert said.verdict == "blocked"
    assert said.summary == "UDP blocked; calls work through TCP 443 of [2001:db8::1]"
    assert judged(replace(found, tcp_relay=None)).summary != said.summary
