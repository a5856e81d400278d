"""Routes between peers: candidates, checks, probes, searches, mapped ports."""

from typing import Final

__all__ = [
    "CARRIED_PROBE_S",
    "CARRIED_SILENCE_S",
    "CHANNEL_AGAIN_FIRST_S",
    "CHANNEL_AGAIN_MAX_S",
    "CHECK_GIVE_UP_S",
    "CHECK_TIMES_S",
    "DIRECT_PROBE_S",
    "LOWEST_PEER_PORT",
    "MAX_CANDIDATES",
    "MAX_CANDIDATES_OF_CALL",
    "MAX_PENDING_CHECKS",
    "MEASURE_SPARES",
    "MEASURE_TIMEOUT_S",
    "MEETING_TIMES_S",
    "MEETING_WAIT_S",
    "MUTUAL_SPARES",
    "OPENED_WAIT_S",
    "OPENER_REFRESH_S",
    "OPENER_TTLS_HOPS",
    "PCP_PORT",
    "PING_INTERVAL_S",
    "PING_SERVED_S",
    "PORT_MAPPING_AGAIN_S",
    "PORT_MAPPING_LIFETIME_S",
    "PORT_MAPPING_LOOK_S",
    "PORT_MAPPING_RELEASE_S",
    "PORT_MAPPING_RENEWAL_MIN_S",
    "PORT_MAPPING_RENEWAL_S",
    "PORT_MAPPING_TRIES_S",
    "PREDICTION_MAX_PORTS",
    "PREDICTION_PAUSE_S",
    "PREDICTION_REACH_PORTS",
    "PREDICTION_SPARES",
    "PROBE_ONLY_PINGS",
    "RELAY_PROBE_S",
    "RETRY_FIRST_S",
    "RETRY_LATER_S",
    "RETRY_SILENCE_S",
    "ROUTE_DOUBT_S",
    "ROUTE_FORGIVEN_S",
    "ROUTE_GIVE_UP_S",
    "ROUTE_TRUST_MAX_S",
    "ROUTE_TRUST_S",
    "RTT_STICKINESS_S",
    "SEARCH_BATCH",
    "SEARCH_BATCH_S",
    "SEARCH_HEAD_START_MAX_S",
    "SEARCH_HEAD_START_MIN_S",
    "SEARCH_MAX_PROBES",
    "SEARCH_NARROWING_MIN_SAMPLES",
    "SEARCH_PAUSE_S",
    "SEARCH_PLANS_OF_CALL",
    "SEARCH_PROBES_PER_S",
    "SEARCH_REFRESH_S",
    "SEARCH_ROUNDS",
    "SEARCH_ROUNDS_OF_CALL",
    "SEARCH_SAMPLES",
    "SEARCH_SPAN_S",
    "SEARCH_SPARES",
    "SEARCH_WAIT_S",
    "SPRAY_CHECKS_BURST",
    "SPRAY_CHECKS_PER_S",
    "SPRAY_MAX_HOSTS",
    "SSDP_SEARCH_S",
    "STANDBY_PROBE_S",
    "STRAY_CHECKS",
    "SURROUNDINGS_INTERVAL_S",
    "THRIFTY_DOUBT_S",
    "THRIFTY_PROBE_S",
    "THRIFTY_S",
    "UPNP_MAX_BYTES",
    "UPNP_PORT_TRIES",
    "UPNP_TIMEOUT_S",
]

# --- Chosen by us ----------------------------------------------------------------

MAX_CANDIDATES: Final = 8
"""Candidates that one side may name. Source: ours (docs/nat.md, abuse limits)."""

MAX_CANDIDATES_OF_CALL: Final = 64
"""Addresses that a peer may name in one call, moves and all. Source: ours."""

MAX_PENDING_CHECKS: Final = 2048
"""Checks whose answer is still awaited; the oldest is forgotten. Source: ours."""

LOWEST_PEER_PORT: Final = 1024
"""Lowest port that a peer may make us send to. Source: ours (docs/security.md)."""

CHANNEL_AGAIN_FIRST_S: Final = 0.5
"""First pause before a call asks for another channel again. Source: ours."""

CHANNEL_AGAIN_MAX_S: Final = 30.0
"""Longest such pause; it doubles up to here. Source: ours; a relay's limits."""

OPENER_TTLS_HOPS: Final = (2, 3, 4)
"""TTLs of the first checks toward a NAT, ascending. Source: measured, docs/nat.md."""

OPENED_WAIT_S: Final = 20.0
"""How long to wait for the peer's `opened`. Source: ours; a peer that stood still."""

OPENER_REFRESH_S: Final = 5.0
"""When openers go again while it is awaited. Source: docs/nat.md, lifetimes of 10 s."""

CHECK_TIMES_S: Final = (0.0, 0.033, 0.1, 0.23, 0.5, 1.0, 2.0)
"""When a candidate is checked, from the start of a round. Source: docs/nat.md."""

CHECK_GIVE_UP_S: Final = 4.0
"""End of a round of checks. Source: docs/nat.md."""

RETRY_FIRST_S: Final = 5.0
"""Pause before the second round. Source: docs/nat.md."""

RETRY_SILENCE_S: Final = 35.0
"""Pause before the third round, in which nothing may reach the peer's router.
Source: kernels forget an unanswered packet after 30 s; docs/nat.md, trap 1."""

RETRY_LATER_S: Final = 60.0
"""Pause before later rounds. Source: docs/nat.md."""

DIRECT_PROBE_S: Final = 0.1
"""Pause between probes of the direct route in use. Source: docs/nat.md."""

CARRIED_PROBE_S: Final = 0.4
"""The same while acknowledged sound shows that it works. Source: ours; CPU."""

CARRIED_SILENCE_S: Final = 1.0
"""Unanswered probes that put it in doubt all the same. Source: ours (RFC 7675)."""

RELAY_PROBE_S: Final = 0.3
"""Pause between probes of the relay route in use. Source: ours."""

STANDBY_PROBE_S: Final = 5.0
"""Pause between probes of a route kept warm. Source: docs/nat.md."""

THRIFTY_PROBE_S: Final = 0.5
"""Pause between probes of the route in use on a narrow link. Source: ours; 3 kbit/s."""

THRIFTY_DOUBT_S: Final = 1.0
"""Silence that puts a route in doubt on a narrow link. Source: ours; queues take it."""

THRIFTY_S: Final = 30.0
"""How long a link counts as narrow after it was. Source: ours."""

ROUTE_DOUBT_S: Final = 0.25
"""Silence that puts a route in doubt, or two round trips. Source: docs/nat.md."""

ROUTE_GIVE_UP_S: Final = 2.0
"""Doubt that ends a route. Source: docs/nat.md."""

ROUTE_TRUST_S: Final = 10.0
"""For so long media takes another route, too, once one answers again; each further
doubt makes it three times as long. Source: docs/decisions/0031."""

ROUTE_TRUST_MAX_S: Final = 90.0
"""The longest of these times. Source: docs/decisions/0031."""

ROUTE_FORGIVEN_S: Final = 300.0
"""Earlier doubts no longer count after so long without one.
Source: docs/decisions/0031."""

RTT_STICKINESS_S: Final = 0.005
"""How much better another route must be, or a third. Source: docs/nat.md."""

STRAY_CHECKS: Final = 1
"""Checks that a copied packet draws to its source. Source: ours (docs/security.md)."""

PREDICTION_SPARES: Final = 16
"""Sockets that a sequential NAT's side opens. Source: ours; others take ports too."""

PREDICTION_MAX_PORTS: Final = 100
"""Ports tried in a round of prediction. Source: docs/nat.md, abuse limits."""

PREDICTION_REACH_PORTS: Final = 50
"""How far from the samples ports are tried, in steps. Source: docs/nat.md."""

PREDICTION_PAUSE_S: Final = 5.0
"""Pause between rounds of prediction toward one host. Source: docs/nat.md."""

MUTUAL_SPARES: Final = 64
"""Sockets of each side when both NATs count. Source: ours; offsets up to 8 meet."""

SEARCH_SPARES: Final = 256
"""Sockets that the harder side opens. Source: docs/nat.md; half by 174 probes."""

SEARCH_MAX_PROBES: Final = 1200
"""Probes of one search: 99.1 % of searches end before. Source: docs/nat.md."""

SEARCH_PROBES_PER_S: Final = 100
"""Pace of a search. Source: docs/nat.md."""

SEARCH_PAUSE_S: Final = 20.0
"""Pause between searches toward one host. Source: docs/nat.md, abuse limits."""

SEARCH_WAIT_S: Final = 1.0
"""How long a last answer, or the relay's word, is awaited. Source: ours."""

SEARCH_ROUNDS: Final = 3
"""Searches, or rounds of prediction, by one plan. Source: ours."""

SEARCH_ROUNDS_OF_CALL: Final = 6
"""The same of one call: a machine that moves gets as many again. Source: ours."""

SEARCH_PLANS_OF_CALL: Final = 8
"""How often a call's plan is made anew as a NAT is another. Source: ours."""

SEARCH_REFRESH_S: Final = 6.0
"""When openers are sent again. Source: ours; the shortest lifetimes are 10 s."""

SEARCH_SPAN_S: Final = 13.0
"""How long spare sockets wait to be found. Source: ours; all probes and a margin."""

SEARCH_BATCH: Final = 32
"""Openers that leave at a time, 10 ms apart. Source: ours; queues of home routers."""

SEARCH_BATCH_S: Final = 0.010
"""Pause between batches. Source: ours."""

SEARCH_SAMPLES: Final = 8
"""Spare sockets whose ports are asked for, to see a block. Source: ours."""

SEARCH_NARROWING_MIN_SAMPLES: Final = 6
"""Samples that make a block believed. Source: ours; chance of 0.1 % for one."""

SEARCH_HEAD_START_MIN_S: Final = 0.2
"""Least time for openers and checks alone. Source: ours; three round trips."""

SEARCH_HEAD_START_MAX_S: Final = 1.0
"""Most time for openers and checks alone. Source: ours."""

MEETING_TIMES_S: Final = (0.3, 0.6, 1.2, 2.0)
"""When checks follow the openers of a meeting. Source: ours; both have opened."""

MEETING_WAIT_S: Final = 2.0
"""How long one side waits for the other in a meeting. Source: ours; head starts."""

MEASURE_TIMEOUT_S: Final = 1.0
"""How long a call's own measurement of the NAT may take. Source: ours."""

MEASURE_SPARES: Final = 5
"""Fresh sockets whose ports tell how a NAT allocates. Source: ours."""

SPRAY_CHECKS_BURST: Final = 80
"""Checks at once toward a silent host: 8 candidates' round. Source: docs/nat.md."""

SPRAY_CHECKS_PER_S: Final = 16
"""And in the long run: such a round each 5 s. Source: docs/nat.md, abuse limits."""

SPRAY_MAX_HOSTS: Final = 4096
"""Hosts that budgets are kept for. Source: ours."""

SURROUNDINGS_INTERVAL_S: Final = 2.0
"""Pause between looks at our own interfaces in a call. Source: ours."""

PING_INTERVAL_S: Final = 1.0
"""Pause between pings, and how long an answer counts. Source: ours; as ping does."""

PING_SERVED_S: Final = 60.0
"""How long a listener lets one peer ping it. Source: ours; three searches."""

PROBE_ONLY_PINGS: Final = 16
"""Seconds that `call --probe-only` looks for a direct path. Source: ours; a search."""

PCP_PORT: Final = 5351
"""Where routers take PCP and NAT-PMP. Source: RFC 6887 section 19.1, RFC 6886."""

PORT_MAPPING_LIFETIME_S: Final = 3600
"""How long a router keeps our port unless asked again. Source: ours; a killed wzp."""

PORT_MAPPING_RENEWAL_S: Final = 600.0
"""Most time between renewals. Source: ours; a router that forgot in a restart."""

PORT_MAPPING_RENEWAL_MIN_S: Final = 10.0
"""Least time between renewals, whatever lifetime was given. Source: ours."""

PORT_MAPPING_TRIES_S: Final = (0.25, 0.5, 1.0)
"""How long each try waits for a router's answer. Source: RFC 6886 section 3.1."""

PORT_MAPPING_AGAIN_S: Final = 60.0
"""Pause before asking again where none was granted. Source: ours."""

PORT_MAPPING_LOOK_S: Final = 5.0
"""Pause between looks whether the router is another. Source: ours."""

PORT_MAPPING_RELEASE_S: Final = 0.5
"""How long an exit waits for a mapping to be ended. Source: ours."""

SSDP_SEARCH_S: Final = 3
"""How long a router may take to answer a UPnP search. Source: UPnP 1.1, MX."""

UPNP_TIMEOUT_S: Final = 3.0
"""How long one request to a UPnP router may take. Source: ours."""

UPNP_MAX_BYTES: Final = 262_144
"""Most of an answer of a UPnP router that is read. Source: ours."""

UPNP_PORT_TRIES: Final = 3
"""External ports tried when others are taken. Source: ours."""
