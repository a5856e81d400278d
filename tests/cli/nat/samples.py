"""Documents of well-known networks, to be told, drawn and forecast."""

from typing import Any

import msgspec

from wzp_cli.cli.nat.document import AskedServer, DetectedNat, PortMappings, judged

__all__ = ["BLOCKED", "HOME", "MAPPED", "PHONE", "SAMPLES", "SEQUENTIAL", "UNKNOWN"]

_SERVERS = [
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
        error="no answer from 198.51.100.9:4433",
    ),
    AskedServer(
        server="stun.example.net:3478",
        kind="stun",
        reflexive="203.0.113.7:41822",
        rtt_ms=41.0,
        error=None,
        public=True,
    ),
]

HOME = judged(
    DetectedNat(
        verdict="",
        summary="",
        local=["192.168.88.10:41822"],
        reflexive="203.0.113.7:41822",
        reflexive_v6=None,
        mapping="endpoint-independent",
        filtering="address-and-port-dependent",
        port_preserving=True,
        allocation="preserving",
        port_delta=None,
        hairpinning=False,
        udp_blocked=False,
        carrier_nat=False,
        nat_layers=1,
        hops=["192.168.88.1", "203.0.113.1"],
        accepts_unsolicited_input=False,
        port_mapping=PortMappings(),
        mapping_lifetime_s=None,
        confidence="measured",
        forecast={},
        servers=_SERVERS,
    )
)


def _like_home(**others: Any) -> DetectedNat:
    return judged(msgspec.structs.replace(HOME, **others))


PHONE = _like_home(
    local=["192.168.1.20:50001"],
    reflexive="198.51.100.200:1024",
    mapping="address-and-port-dependent",
    filtering="unknown",
    allocation="random",
    port_preserving=False,
    carrier_nat=True,
    nat_layers=2,
    hops=["192.168.1.1", "100.64.0.1", None, "203.0.113.1"],
    port_mapping=PortMappings(pcp=False, nat_pmp=False, upnp=True),
    ipv6=False,
)
SEQUENTIAL = _like_home(
    reflexive="198.51.100.77:2002",
    mapping="address-and-port-dependent",
    filtering="unknown",
    allocation="sequential",
    port_delta=2,
    port_preserving=False,
    port_mapping=PortMappings(pcp=False, nat_pmp=False),
)
MAPPED = _like_home(
    port_mapping=PortMappings(pcp=True, nat_pmp=True, upnp=False),
    ipv6=True,
    reflexive_v6="[2001:db8::7]:41822",
    filtering_v6="address-and-port-dependent",
    preferred_relay="r1.example:4433",
    path_mtu_bytes=1500,
    mapping_lifetime_s=120.0,
)
_NOTHING: dict[str, Any] = {
    "mapping": "unknown",
    "filtering": "unknown",
    "allocation": "unknown",
    "port_preserving": None,
    "hairpinning": None,
    "carrier_nat": None,
    "nat_layers": None,
    "hops": None,
    "accepts_unsolicited_input": None,
}
UNKNOWN = _like_home(**_NOTHING)
BLOCKED = _like_home(
    **_NOTHING,
    reflexive=None,
    udp_blocked=True,
    confidence="none",
    servers=[_SERVERS[1]],
)
SAMPLES = {
    "home": HOME,
    "phone": PHONE,
    "sequential": SEQUENTIAL,
    "mapped": MAPPED,
    "unknown": UNKNOWN,
    "blocked": BLOCKED,
}
