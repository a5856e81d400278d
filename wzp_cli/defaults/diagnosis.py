"""What is measured of a NAT, and how long that may take."""

from typing import Final

__all__ = [
    "DETECT_ANSWER_S",
    "DETECT_DOUBT_S",
    "DETECT_SPARES",
    "DETECT_TIMEOUT_S",
    "FILTER_FAR_WAIT_S",
    "FILTER_GRACE_S",
    "FILTER_PROBES_S",
    "FILTER_WAIT_S",
    "HAIRPIN_GRACE_S",
    "HAIRPIN_TRIES_S",
    "LIFETIME_MAX_SILENCES",
    "LIFETIME_MAX_SILENCE_S",
    "LIFETIME_PATIENCE_S",
    "LIFETIME_SILENCES_S",
    "LIFETIME_STREAM_S",
    "NAT_ALLOCATION_MIN_SAMPLES",
    "NAT_SEQUENTIAL_MAX_GAP_PORTS",
    "PATH_MTU_BYTES",
    "PATH_MTU_TRIES_S",
    "PORTAL_CHECK_HOST",
    "PORTAL_CHECK_PATH",
    "PREFERRED_RELAY_BETTER_S",
    "PREFERRED_RELAY_BETTER_SHARE",
    "PUBLIC_STUN_SERVERS",
    "ROUND_TRIP_AGAIN_S",
    "TCP_LOOK_S",
    "TRACE_TRIES_S",
    "TRACE_WAIT_S",
    "WALK_HOP_S",
    "WALK_MAX_HOPS",
]

# --- Chosen by us ----------------------------------------------------------------

NAT_ALLOCATION_MIN_SAMPLES: Final = 3
"""External ports needed to name an allocation. Source: ours (two gaps between them)."""

NAT_SEQUENTIAL_MAX_GAP_PORTS: Final = 64
"""Ports that other traffic may take between two of ours. Source: ours; three random
ports lie that close less than once in 100 000 times."""

DETECT_TIMEOUT_S: Final = 5.0
"""How long `detect-nat` waits for servers. Source: docs/nat.md, as netcheck's cap."""

WALK_MAX_HOPS: Final = 6
"""Hops looked at for the first public router. Source: ours; double NAT needs three."""

TRACE_TRIES_S: Final = (0.0, 0.1, 0.25, 0.5)
"""When each hop that has not answered is asked. Source: ours; one loss costs 0.1 s."""

TRACE_WAIT_S: Final = 1.2
"""How long hops are waited for. Source: ours; two round trips of a satellite."""

WALK_HOP_S: Final = 0.3
"""How long a router may take to say that a datagram died there. Source: ours."""

DETECT_ANSWER_S: Final = 3.0
"""How long one server is waited for in a diagnosis. Source: ours; six tries and 1 s."""

DETECT_DOUBT_S: Final = 1.0
"""Silence after which it is asked whether UDP is blocked. Source: ours."""

FILTER_PROBES_S: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
"""When filtering probes are asked for. Source: ours; at 10 % loss one of 10^6 series
is lost as a whole."""

FILTER_GRACE_S: Final = 0.15
"""How much later than the word of it a probe may come. Source: ours; jitter."""

FILTER_FAR_WAIT_S: Final = 0.3
"""How much longer a second relay may take than the first. Source: ours."""

HAIRPIN_TRIES_S: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
"""When a packet is sent to our own outside. Source: ours; as filtering probes."""

HAIRPIN_GRACE_S: Final = 0.2
"""How long the last one may take, beside the round trip. Source: ours."""

PATH_MTU_BYTES: Final = (
    *(1500, 1492, 1480, 1460, 1440, 1420),
    *(1400, 1380, 1340, 1280, 1228),
)
"""IPv4 packets that are tried. Source: RFC 894, 2516, 4213, WireGuard's 1420, RFC 8200
section 5, and QUIC's 1200 bytes with headers (RFC 9000 section 14)."""

ROUND_TRIP_AGAIN_S: Final = (0.4, 0.6)
"""When, after the first answer, each server is timed again: handshakes are over then.
Source: ours; three tries in all, as netcheck."""

PREFERRED_RELAY_BETTER_S: Final = 0.010
"""How much nearer another relay has to be. Source: docs/nat.md, as netcheck."""

PREFERRED_RELAY_BETTER_SHARE: Final = 1 / 3
"""And as a share of the round trip. Source: docs/nat.md, as netcheck."""

DETECT_SPARES: Final = 5
"""Fresh sockets that show how ports are given out. Source: ours, as in calls."""

FILTER_WAIT_S: Final = 2.0
"""How long a relay may take to say that its probes have left. Source: ours."""

LIFETIME_SILENCES_S: Final = (8.0, 15.0, 25.0, 40.0, 55.0, 80.0, 110.0, 140.0, 170.0)
"""Silences that `detect-nat --full` tries. Source: ours; between the usual timers
(10, 20, 30, 60, 90, 120, 180 s): a timer that ends with one could go either way."""

LIFETIME_STREAM_S: Final = 2.5
"""Pause between the two questions before a silence. Source: Linux's conntrack takes
for a stream what is answered still after 2 s (nf_conntrack_proto_udp.c)."""

LIFETIME_MAX_SILENCES: Final = 12
"""Silences in one measurement. Source: ours; 6 probes each, and those of a diagnosis,
stay below RELAY_MAX_PROBES_PER_CLIENT_PER_MIN even in one minute."""

LIFETIME_MAX_SILENCE_S: Final = 3600.0
"""The longest that may be asked for. Source: ours; RFC 4787 asks for 5 min."""

LIFETIME_PATIENCE_S: Final = 20.0
"""How much longer than its longest silence another process may take. Source: ours;
visiting a relay, and what a loss costs."""

PATH_MTU_TRIES_S: Final = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
"""How much longer than a round trip each try at a larger packet is. Source: ours."""

PORTAL_CHECK_HOST: Final = "connectivitycheck.gstatic.com"
"""Where an empty page is asked for by HTTP. Source: Android, as its portal check."""

PORTAL_CHECK_PATH: Final = "/generate_204"
"""Which page: its answer is 204 and nothing. Source: as above."""

TCP_LOOK_S: Final = 1.5
"""How long TCP may take where UDP is silent. Source: ours; a SYN and one again."""

PUBLIC_STUN_SERVERS: Final = (
    "stun.l.google.com:19302",
    "stun.cloudflare.com:3478",
    "global.stun.twilio.com:3478",
)
"""Asked by `detect-nat` where fewer than two named hosts answer. Source: what their
operators document (Google's WebRTC samples, Cloudflare Realtime, Twilio)."""
