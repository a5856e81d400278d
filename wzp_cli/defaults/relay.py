"""A relay's limits, and how its clients come and stay."""

from typing import Final

__all__ = [
    "ADDRESS_STAGGER_S",
    "CALL_KEEPALIVE_ANSWER_S",
    "FLEET_ANSWER_S",
    "FLEET_FLUSH_S",
    "FLEET_GRACE_S",
    "FLEET_HELD_FRAMES",
    "FLEET_JOINS_PER_MIN",
    "FLEET_JOIN_S",
    "FLEET_MAX_ANSWERS",
    "FLEET_MAX_JOINS",
    "FLEET_PING_S",
    "FLEET_RECONNECT_S",
    "FORWARDER_ACCOUNT_S",
    "FORWARDER_AGAIN_S",
    "FORWARDER_ATTENTION_S",
    "FORWARDER_MAX_UNHEARD_BYTES",
    "FORWARDER_SILENT_S",
    "FORWARDER_WAIT_S",
    "KEEPALIVE_ANSWER_S",
    "KEEPALIVE_MAX_S",
    "KEEPALIVE_MIN_S",
    "LOOP_LAG_BUCKETS_S",
    "LOOP_LAG_PROBE_S",
    "MAX_ANNOUNCED_CHANNELS",
    "METRICS_ACCEPT_PAUSE_S",
    "RELAY_ANSWER_TIMEOUT_S",
    "RELAY_BACKOFF_FIRST_S",
    "RELAY_BACKOFF_MAX_S",
    "RELAY_CHANNEL_BURST_S",
    "RELAY_CHANNEL_IDLE_S",
    "RELAY_CHANNEL_MAX_BITS_PER_S",
    "RELAY_CHANNEL_MAX_PACKETS_PER_S",
    "RELAY_DEFAULT_PORT",
    "RELAY_DRAIN_S",
    "RELAY_EXTRA_PORTS",
    "RELAY_FORWARDERS",
    "RELAY_MAX_CHANNELS_PER_IDENTITY",
    "RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN",
    "RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN",
    "RELAY_MAX_DEVICES_PER_TARGET",
    "RELAY_MAX_FRAME_BYTES",
    "RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN",
    "RELAY_MAX_HALF_OPEN",
    "RELAY_MAX_HALF_OPEN_PER_SOURCE",
    "RELAY_MAX_LINKS",
    "RELAY_MAX_LINKS_PER_IDENTITY",
    "RELAY_MAX_PROBES_PER_CLIENT_PER_MIN",
    "RELAY_MAX_PROBES_PER_HOST_PER_MIN",
    "RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN",
    "RELAY_MAX_TRACKED_SOURCES",
    "RELAY_MAX_TUNNELS",
    "RELAY_MAX_TUNNELS_PER_SOURCE",
    "RELAY_RETRIES_PER_S",
    "RELAY_SWEEP_S",
    "RELAY_TCP_DEFAULT_PORT",
    "SRV_ANSWER_S",
    "SRV_HEAD_START_S",
    "SRV_MAX_ADDRESSES",
    "SRV_MAX_TARGETS",
    "STATUS_ANSWER_S",
    "TURN_AGAIN_S",
    "TURN_ANSWER_S",
    "TURN_DELETE_S",
    "TURN_FIRST_CHANNEL",
    "TURN_GRANT_S",
    "TURN_LAST_CHANNEL",
    "TURN_LIFETIME_S",
    "TURN_MAX_PEERS",
    "TURN_MIN_LIFETIME_S",
    "TURN_MISMATCH_PAUSES_S",
    "TURN_REFRESH_S",
    "TURN_STREAM_HEAD_START_S",
    "TURN_STREAM_MAX_MESSAGE_BYTES",
]

# --- From a specification --------------------------------------------------------

TURN_FIRST_CHANNEL: Final = 0x4000
"""Lowest channel number of TURN. Source: RFC 8656 section 12."""

TURN_LAST_CHANNEL: Final = 0x4FFF
"""Highest channel number of TURN. Source: RFC 8656 section 12."""

TURN_LIFETIME_S: Final = 600
"""How long an allocation is asked for. Source: RFC 8656 section 3.2."""

# --- Chosen by us ----------------------------------------------------------------

RELAY_DEFAULT_PORT: Final = 4433
"""UDP port of a relay. Source: ours (docs/protocol.md); QUIC test servers use it."""

RELAY_CHANNEL_BURST_S: Final = 1.0
"""Seconds of its rate that a channel may send at once. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_IDLE_S: Final = 30.0
"""A channel unused for so long is gone. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_MAX_BITS_PER_S: Final = 300_000
"""A channel's rate in one direction. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_MAX_PACKETS_PER_S: Final = 200
"""A channel's packets in one direction. Source: ours: four times what voice sends."""

RELAY_MAX_FRAME_BYTES: Final = 1500
"""Largest frame that a channel carries. Source: ours; as a WebSocket's message
(TUNNEL_MAX_DATAGRAM_BYTES), and wzp's own have at most 1209."""

RELAY_MAX_CHANNELS_PER_IDENTITY: Final = 32
"""Channels that one identity may have asked for. Source: ours: two calls to 16
devices."""

RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN: Final = 20
"""Calls that one identity may start. Source: ours (docs/relay.md)."""

RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN: Final = 60
"""Calls that one identity may be offered. Source: ours (docs/relay.md)."""

RELAY_MAX_DEVICES_PER_TARGET: Final = 16
"""Devices that one call rings, the latest first. Source: ours (`connected` message)."""

TURN_GRANT_S: Final = 600
"""How long credentials for a TURN server are good to begin with. Source: ours; a
stolen password is worth ten minutes."""

TURN_REFRESH_S: Final = 240.0
"""Pause between refreshes of an allocation and its channels. Source: ours; a permission
lasts 300 s (RFC 8656 section 9)."""

TURN_MIN_LIFETIME_S: Final = 300
"""An allocation for less is not taken. Source: ours; longer than our refreshes."""

TURN_ANSWER_S: Final = 8.0
"""How long a TURN server may take for an answer. Source: ours; five requests."""

TURN_DELETE_S: Final = 0.5
"""How long the end of a call waits until its allocation is deleted. Source: ours."""

TURN_MISMATCH_PAUSES_S: Final = (1.2, 2.0)
"""Pauses before asking again where the last call's allocation still stands.
Source: measured; coturn 4.6.1 deletes a second after it was told to."""

TURN_AGAIN_S: Final = 60.0
"""Pause before a TURN server is tried again in one call. Source: ours."""

TURN_MAX_PEERS: Final = 8
"""Relayed addresses that a peer may name in one call. Source: ours; it names another
one only where it lost the last."""

RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN: Final = 30
"""TURN credentials for one identity. Source: ours; as many as its calls."""

RELAY_MAX_PROBES_PER_CLIENT_PER_MIN: Final = 120
"""Filtering probes that an identity may ask for. Source: ours; six diagnoses."""

RELAY_MAX_PROBES_PER_HOST_PER_MIN: Final = 600
"""Filtering probes toward one IPv4 host or IPv6 /64. Source: ours; 480 bytes/s."""

RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN: Final = 120
"""Links from one IPv4 address or IPv6 /64. Source: ours: room for a carrier NAT."""

RELAY_MAX_HALF_OPEN: Final = 256
"""Handshakes under way at a relay. Source: ours; 18 MB, and more than one core
completes in a second (200)."""

RELAY_MAX_HALF_OPEN_PER_SOURCE: Final = 32
"""Of these, with one IPv4 address or IPv6 /64. Source: ours; room for a carrier NAT."""

RELAY_RETRIES_PER_S: Final = 500.0
"""Retry packets that a relay sends. Source: ours; twice what it can then complete."""

RELAY_MAX_TRACKED_SOURCES: Final = 65_536
"""Keys that a table of rate limits remembers. Source: ours (some 15 MB when full)."""

KEEPALIVE_MIN_S: Final = 15.0
"""Shortest pause between keep-alives of an idle registration. Source: docs/nat.md."""

KEEPALIVE_MAX_S: Final = 25.0
"""Longest one: below the 30 s that a NAT keeps an idle mapping. Source: docs/nat.md."""

KEEPALIVE_ANSWER_S: Final = 4.0
"""Silence after a keep-alive that means the relay is lost. Source: ours."""

CALL_KEEPALIVE_ANSWER_S: Final = 1.5
"""The same in a call: soon, but a queue of half a second each way is no silence.
Source: ours."""

RELAY_ANSWER_TIMEOUT_S: Final = 5.0
"""How long a relay may take to answer a message. Source: ours."""

RELAY_BACKOFF_FIRST_S: Final = 1.0
"""Longest pause before the first try to find a lost relay again. Source: ours."""

RELAY_BACKOFF_MAX_S: Final = 30.0
"""Longest pause between later tries; it doubles up to here. Source: ours."""

MAX_ANNOUNCED_CHANNELS: Final = 64
"""Channels that a relay may announce to one client at a time. Source: ours."""

RELAY_SWEEP_S: Final = 1.0
"""Pause between sweeps of a relay's idle channels. Source: ours."""

FLEET_ANSWER_S: Final = 1.0
"""How long relays of a fleet may take to answer each other. Source: ours; a client
waits 5 s (RELAY_ANSWER_TIMEOUT_S)."""

FLEET_GRACE_S: Final = 0.05
"""How long after an answer another relay's may come. Source: ours; two of a fleet are
at most so far apart, and each call between relays waits so long."""

FLEET_MAX_ANSWERS: Final = 64
"""Answers to one question that are taken. Source: ours; no fleet has more relays."""

FLEET_FLUSH_S: Final = 1
"""How long NATS may take to take note. Source: ours; as an answer."""

FLEET_PING_S: Final = 5
"""Pause between pings to NATS; two unanswered ones end it. Source: ours; so what is cut
off is noticed within 15 s, before a client's link ends (30 s)."""

FLEET_RECONNECT_S: Final = 1
"""Pause between tries to reach NATS. Source: ours; a fleet has few relays."""

FLEET_JOIN_S: Final = 10.0
"""How long a device that was found may take to join. Source: ours; twice a handshake
(HANDSHAKE_TIMEOUT_S)."""

FLEET_HELD_FRAMES: Final = 4
"""Frames kept until the device has joined. Source: ours; a dialler's first flight, and
its repetition."""

FLEET_MAX_JOINS: Final = 8
"""Other relays' links that a client has at once. Source: ours; a call needs one."""

FLEET_JOINS_PER_MIN: Final = 60
"""Other relays that a client follows its relay to. Source: ours; as calls that a relay
offers (RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN)."""

RELAY_FORWARDERS: Final = 1
"""Processes that forward beside the relay's own. Source: measured (docs/relay.md): one
halves what a packet costs, and keeps floods away from calls."""

FORWARDER_ATTENTION_S: Final = 0.01
"""A forwarder that has frames looks so often for what its relay says. Source: ours; the
least that a call notices is 20 ms."""

FORWARDER_WAIT_S: Final = 0.2
"""One that has none looks so often. Source: ours; it ends so soon after its relay."""

FORWARDER_ACCOUNT_S: Final = 1.0
"""Pause between what a forwarder tells of itself. Source: ours; as RELAY_SWEEP_S."""

FORWARDER_AGAIN_S: Final = 1.0
"""Pause before a forwarder that died young is started again. Source: ours."""

FORWARDER_MAX_UNHEARD_BYTES: Final = 8 << 20
"""A forwarder that has left so much unread hangs. Source: ours; 40 000 directions."""

FORWARDER_SILENT_S: Final = 10.0
"""So does one that has told nothing for so long. Source: ours; ten accounts."""

RELAY_DRAIN_S: Final = 10.0
"""How long calls may go on after SIGTERM. Source: ours; below systemd's 90 s."""

LOOP_LAG_PROBE_S: Final = 0.1
"""Pause between looks at how late the event loop is. Source: ours; costs nothing."""

LOOP_LAG_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper ends of the histogram of lateness. Source: ours; voice has 20 ms frames."""

METRICS_ACCEPT_PAUSE_S: Final = 0.5
"""How long no page is served after a connection failed. Source: ours; no spinning."""

STATUS_ANSWER_S: Final = 2.0
"""How long a relay may take to answer its own operator. Source: ours."""

RELAY_EXTRA_PORTS: Final = 3
"""Ports after the relay's own that answer STUN. Source: ours (docs/protocol.md)."""

ADDRESS_STAGGER_S: Final = 0.25
"""Head start of a server's address over the next one. Source: RFC 8305 section 8."""

SRV_HEAD_START_S: Final = 0.05
"""Addresses wait so long for SRV records. Source: RFC 8305 section 3, by which those of
IPv4 wait so for those of IPv6."""

SRV_ANSWER_S: Final = 4.0
"""SRV records that take longer are not there. Source: ours; a resolver that lost the
question is asked again after two seconds (dnspython's default)."""

SRV_MAX_TARGETS: Final = 8
"""Servers that are taken of one name's records. Source: ours."""

SRV_MAX_ADDRESSES: Final = 16
"""Addresses of them that are tried. Source: ours; the last one's turn comes after four
seconds (ADDRESS_STAGGER_S)."""

RELAY_MAX_LINKS_PER_IDENTITY: Final = 32
"""Links that one identity may have at a relay. Source: ours; devices, and calls."""

RELAY_MAX_LINKS: Final = 20_000
"""Links that a relay holds; 72 KB each. Source: measured; 1.4 GB."""

RELAY_TCP_DEFAULT_PORT: Final = 443
"""Where a relay is looked for by TCP. Source: RFC 6455 section 11.1.2 (wss)."""

RELAY_MAX_TUNNELS: Final = 4096
"""TCP connections of a relay. Source: ours; some 100 KiB each with TLS."""

RELAY_MAX_TUNNELS_PER_SOURCE: Final = 256
"""TCP connections of one IPv4 host or IPv6 /64. Source: ours; one office's NAT."""

TURN_STREAM_HEAD_START_S: Final = 1.0
"""Head start of TURN by UDP over TCP, and of that over TLS. Source: ours; two round
trips of 250 ms are over by then, and nobody waits: the call has its channel."""

TURN_STREAM_MAX_MESSAGE_BYTES: Final = 2048
"""Longest message taken from a TURN server by TCP. Source: ours; 1500 bytes in channel
data, or an error with 763 bytes of words (RFC 8489 section 14.8)."""
