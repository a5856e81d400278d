"""What `wzp detect-nat` says, in words: reasons, advice, kinds of peer, terms.

The keys come from `protocol/nat/`; each key of theirs has its sentence here.
"""

from collections.abc import Mapping
from typing import Final

from wzp_cli.protocol.nat.advice import Advice, Cure, Reason, Why
from wzp_cli.protocol.nat.expectation import Measured
from wzp_cli.protocol.nat.forecast import Outcome

__all__ = [
    "PEER_NAMES",
    "TERMS",
    "advised",
    "explained",
    "going",
    "milliseconds",
    "seconds",
]

PEER_NAMES: Final[Mapping[str, str]] = {
    "endpoint-independent": "no NAT, or a full cone",
    "address-dependent": "a restricted cone",
    "address-and-port-dependent": "a port-restricted NAT",
    "sequential": "a symmetric NAT, in sequence",
    "random": "a symmetric NAT, at random",
}
"""Each kind of peer in a forecast, as users say it."""

_WHY: dict[Why, str] = {
    Why.CAPTIVE_PORTAL: "Somebody else answers in place of the web: this network "
    "wants you to log in first.",
    Why.UDP_BLOCKED: "No UDP comes back from anywhere: from here, calls work through "
    "a relay that serves TCP (wzp relay --tcp).",
    Why.OFFLINE: "This machine has no address on any network: it is offline.",
    Why.NO_NAME_FOUND: "No name of a server's led to an address: this machine is "
    "offline, its DNS does not answer, or the names are wrong.",
    Why.NOBODY_ANSWERED: "No server answered: they are silent, or this network lets "
    "no UDP through.",
    Why.TOO_FEW_SERVERS: "Servers at one address alone do not tell whether the NAT "
    "gives other destinations another address.",
    Why.PORT_MAPPED: "The router gives a port of its own on request, and lets "
    "everybody in there: any peer can reach this side.",
    Why.NO_NAT: "No NAT stands between this machine and the servers: its address is "
    "its own.",
    Why.MAPPING_INDEPENDENT: "The NAT gives this socket one address for all "
    "destinations, so a peer can be told where to send.",
    Why.POOLED: "The NAT gives each destination another public address: a peer can't "
    "be told where to send.",
    Why.MAPPING_SEQUENTIAL: "The NAT gives each destination another port, in "
    "sequence: the next ones can be predicted.",
    Why.MAPPING_RANDOM: "The NAT gives each destination another port, at random: a "
    "peer can't be told where to send, one of many has to be hit.",
    Why.MAPPING_DEPENDENT: "The NAT gives each destination another port: a peer can't "
    "be told where to send.",
    Why.FILTERING_OPEN: "It lets everybody in at that address.",
    Why.FILTERING_ADDRESS: "It lets in only hosts that were written to: both sides "
    "have to send first, which wzp sees to.",
    Why.FILTERING_PORT: "It lets in only the very addresses that were written to: "
    "both sides have to send first, which wzp sees to.",
    Why.FILTERING_DEPENDENT: "It lets in only who was written to: both sides have to "
    "send first, which wzp sees to.",
    Why.FILTERING_UNKNOWN: "Who is let in was not measured; both sides send first, in "
    "any case.",
    Why.CARRIER_NAT: "The provider has a NAT of its own behind the router{at_hop}: no "
    "port of the router's leads to the internet.",
    Why.SEVERAL_NATS: "There are {layers} NATs in a row: no port of the inner one "
    "leads to the internet.",
    Why.POISONABLE: "A peer's packet that comes before ours has left spoils the way "
    "through this router; wzp sees to the order.",
    Why.IPV6: "IPv6 works: a peer who has it too is reached without any NAT.",
}

_CURES: dict[Cure, str] = {
    Cure.GO_ONLINE: "Connect this machine to a network, and ask again.",
    Cure.CHECK_NAMES: "See that other names are found from here, or name a server by "
    "its number.",
    Cure.LOG_IN: "Open a web page in a browser, log in to this network, and ask again.",
    Cure.ALLOW_UDP: "Have UDP allowed out of this network (firewall, VPN, company or "
    "hotel), or use another one, a phone's for example.",
    Cure.ASK_MORE_SERVERS: "Name a server at another address (--relay or --stun): two "
    "tell what one can't.",
    Cure.PORT_MAPPING: "Turn on PCP, NAT-PMP or UPnP on {router}: calls then have a "
    "port that everybody reaches. --portmap shows whether it works.",
    Cure.UPNP_EXTRA: "Install wzp[upnp] and ask again with --portmap: many routers "
    "give ports by UPnP alone.",
    Cure.PUBLIC_ADDRESS: "Ask the provider for a public IPv4 address: its carrier "
    "NAT{at_hop} is in the way.",
    Cure.ONE_NAT: "Leave one NAT of them: set the inner router to bridge or access "
    "point mode, so that the outer one's ports are of use.",
    Cure.IPV6: "Turn on IPv6 in the router, or ask the provider for it: peers who "
    "have it are then reached without NAT.",
    Cure.EASIER_MAPPING: 'In {router}, choose "full cone" or endpoint-independent '
    "NAT, or static source ports, in place of symmetric or random ones.",
    Cure.OPEN_FIREWALL: "Let UDP to wzp's port in at this machine's firewall.",
}

_OUTCOMES: dict[Outcome, str] = {
    Outcome.DIRECT: "direct",
    Outcome.PREDICTION: "direct, by predicting ports",
    Outcome.MUTUAL_PREDICTION: "direct in {pct} of 100 calls",
    Outcome.SEARCH: "direct, after a search",
    Outcome.RELAY: "by relay",
}

TERMS: Final[Mapping[str, str]] = {
    "reflexive address": "How servers on the internet see the one socket that calls "
    "use. It is where a peer has to send.",
    "mapping": "What that address depends on. endpoint-independent: it is the same "
    "for all destinations (a cone NAT). address-dependent or "
    "address-and-port-dependent: each destination gets another one (a symmetric NAT).",
    "filtering": "Who is let in there. endpoint-independent: everybody. "
    "address-dependent: hosts that were written to. address-and-port-dependent: only "
    "the very addresses that were written to.",
    "port preservation": "Whether the port outside is the socket's own. Convenient; "
    "it decides nothing.",
    "allocation": "How a symmetric NAT chooses ports. sequential ones can be "
    "predicted, random ones only searched for.",
    "hairpinning": "Whether two behind this NAT reach each other at its outside "
    "address. On one network the inner addresses serve.",
    "NATs in a row": "How many translate on the way. A port of the innermost leads "
    "nowhere if there are more.",
    "carrier NAT": "Whether the provider translates as well, for many customers at "
    "one address.",
    "hops": "The routers on the way, up to the first public one.",
    "poisonable": "Whether a packet from outside that comes before ours spoils the "
    "way for its sender. wzp opens such NATs with packets that die on the way.",
    "port mapping": "Whether the router gives a port on request (PCP, NAT-PMP, UPnP). "
    "Everybody is let in there, so all peers can be reached.",
    "mapping lifetime": "How long an idle mapping lasts. wzp refreshes within 25 s.",
    "IPv6": "Whether the internet is reached over IPv6, where nobody translates, and "
    "whom the firewall lets in.",
    "path MTU": "The largest packet that was seen to pass. Calls need 1280 bytes.",
    "preferred relay": "The nearest of those asked; it stays until another is clearly "
    "nearer.",
    "UDP": "Whether any UDP comes back. Calls need it.",
    "captive portal": "Whether this network wants a log-in before it lets anything "
    "out.",
}
"""What each row of the report means."""


def explained(reason: Reason) -> str:
    """Return a reason as its sentence."""
    return _WHY[reason.why].format(at_hop=_at(reason.hop), layers=reason.layers)


def advised(advice: Advice) -> str:
    """Return advice as its sentence."""
    router = "the router" if advice.router is None else f"the router at {advice.router}"
    return _CURES[advice.cure].format(router=router, at_hop=_at(advice.hop))


def going(outcome: Outcome | None, measured: Measured | None) -> str:
    """Return how a call will go, and after how long it is direct."""
    if outcome is None:
        return "not known: too little was measured"
    if measured is None or measured.median_ms is None:
        return _OUTCOMES[outcome]
    how = _OUTCOMES[outcome].format(pct=measured.direct_pct)
    took = f"{how}, {seconds(measured.median_ms)}"
    if outcome is Outcome.MUTUAL_PREDICTION:
        return f"{took}; else by relay"
    slow = measured.p95_ms is not None and measured.p95_ms > 2 * measured.median_ms
    return f"{took} (up to {seconds(measured.p95_ms or 0)})" if slow else took


def seconds(ms: int) -> str:
    """Return a time as a person says it."""
    return f"{ms / 1000:.1f} s" if ms >= 100 else f"{ms / 1000:.2f} s"


def milliseconds(ms: float) -> str:
    """Return a round trip; what is below 10 ms with a tenth."""
    return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f} ms"


def _at(hop: int | None) -> str:
    return "" if hop is None else f" (hop {hop})"
