from wzp_cli.address import Address
from wzp_cli.cli.nat_document import AskedServer, PortMappings, detected
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
