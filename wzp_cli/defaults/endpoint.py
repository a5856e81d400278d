"""The one socket: QUIC, STUN, who is admitted, tunnels through TCP."""

from typing import Final

__all__ = [
    "CALL_IDLE_TIMEOUT_S",
    "CONGESTION_WINDOW_BYTES",
    "CONNECTION_ID_BYTES",
    "DATAGRAM_QUEUE_FRAMES",
    "DELAYED_ACK_S",
    "FAREWELL_TIMEOUT_S",
    "HANDSHAKE_TIMEOUT_S",
    "LINK_IDLE_TIMEOUT_S",
    "MAX_HALF_OPEN_CHANNELS",
    "MAX_HALF_OPEN_DATAGRAMS",
    "MAX_HALF_OPEN_STRANGERS",
    "MAX_HALF_OPEN_TUNNELS",
    "MAX_HALF_OPEN_TUNNELS_PER_SOURCE",
    "MAX_QUEUED_BYTES",
    "MAX_TLS_MESSAGE_BYTES",
    "MAX_UNSENT_BYTES",
    "MIN_DATAGRAM_PAYLOAD_BYTES",
    "NAME_TIMEOUT_S",
    "PEER_KEEPALIVE_S",
    "QUIC_MAX_DATAGRAM_FRAME_BYTES",
    "QUIC_MIN_INITIAL_BYTES",
    "QUIC_MIN_INITIAL_DCID_BYTES",
    "RANDOM_PORT_TRIES",
    "RECEIVE_BATCH_DATAGRAMS",
    "RECEIVE_BUFFER_BYTES",
    "RETRIES_PER_S",
    "STUN_ANSWERS_PER_S",
    "STUN_DEFAULT_PORT",
    "STUN_TRIES_S",
    "TUNNEL_BACKLOG",
    "TUNNEL_BURST_S",
    "TUNNEL_MAX_DATAGRAM_BYTES",
    "TUNNEL_MAX_FRAMES_PER_S",
    "TUNNEL_MAX_UNSENT_BYTES",
    "TUNNEL_PROOF_S",
    "TUNNEL_QUEUE_DATAGRAMS",
    "TUNNEL_READ_BYTES",
    "TUNNEL_SWEEP_S",
    "TUNNEL_UNSENT_BYTES",
    "UDP_AGAIN_MAX_S",
    "UDP_AGAIN_MIN_S",
]

# --- From a specification --------------------------------------------------------

STUN_DEFAULT_PORT: Final = 3478
"""Port of a STUN server without SRV record. Source: RFC 8489 section 18.4."""

QUIC_MIN_INITIAL_DCID_BYTES: Final = 8
"""Shortest connection ID that a dialler may make up. Source: RFC 9000 section 7.2."""

# --- Chosen by us ----------------------------------------------------------------

CONGESTION_WINDOW_BYTES: Final = 128 * 1024
"""QUIC's window, fixed. Source: measured: Reno adds seconds on long lossy paths."""

DATAGRAM_QUEUE_FRAMES: Final = 4
"""DATAGRAM frames waiting to be sent. Source: ours; 80 ms of sound."""

DELAYED_ACK_S: Final = 0.020
"""How long an ACK waits for a media packet to ride with. Source: ours; one frame."""

MAX_TLS_MESSAGE_BYTES: Final = 16 * 1024
"""Unfinished TLS message that ends a handshake. Source: ours (docs/security.md)."""

MAX_QUEUED_BYTES: Final = 64 * 1024
"""Stream bytes received and not yet read that end a link. Source: ours."""

CONNECTION_ID_BYTES: Final = 8
"""Length of our connection IDs. Source: ours; RFC 9000 section 5.1 allows 0 to 20."""

QUIC_MAX_DATAGRAM_FRAME_BYTES: Final = 65535
"""What we say we take. Source: RFC 9221 section 3 recommends 65535."""

LINK_IDLE_TIMEOUT_S: Final = 30.0
"""Silence that ends a link to a relay. Source: ours; twice the keep-alive at least."""

CALL_IDLE_TIMEOUT_S: Final = 10.0
"""Silence that ends a call. Source: ours."""

QUIC_MIN_INITIAL_BYTES: Final = 1200
"""Smallest datagram that may open a connection. Source: RFC 9000 section 14.1."""

NAME_TIMEOUT_S: Final = 8.0
"""How long the system's DNS may take for a name.

Source: ours; more than the 5 s after which resolv.conf(5) asks a second time.
"""

HANDSHAKE_TIMEOUT_S: Final = 5.0
"""How long a handshake may stay half open. Source: ours (docs/security.md)."""

MAX_HALF_OPEN_STRANGERS: Final = 32
"""Handshakes under way with strangers. Source: ours; below 64 in all."""

MAX_HALF_OPEN_CHANNELS: Final = 32
"""Handshakes under way through announced channels. Source: as above."""

MAX_HALF_OPEN_DATAGRAMS: Final = 48
"""Datagrams that a link may get from its dialler until it is complete. Source: ours; a
handshake takes 4, and repeats some 12 in HANDSHAKE_TIMEOUT_S where all is lost."""

RETRIES_PER_S: Final = 100.0
"""Retry packets sent to strangers. Source: ours; 100 B each."""

STUN_ANSWERS_PER_S: Final = 500.0
"""Binding requests answered by a relay's port. Source: ours."""

STUN_TRIES_S: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
"""When a Binding request is (re)sent. Source: ours, after netcheck's 0/100/200 ms."""

RECEIVE_BATCH_DATAGRAMS: Final = 64
"""Datagrams read at one wake-up before others get their turn. Source: measured."""

RECEIVE_BUFFER_BYTES: Final = 1 << 20
"""SO_RCVBUF asked for; the kernel may grant less. Source: ours."""

FAREWELL_TIMEOUT_S: Final = 0.5
"""How long to wait for the acknowledgement of last words. Source: ours."""

RANDOM_PORT_TRIES: Final = 10
"""Other ports tried when the wanted one is taken. Source: ours."""

PEER_KEEPALIVE_S: Final = 3.0
"""Pause between keep-alives of a link between peers. Source: ours; idle is 10 s."""

MAX_UNSENT_BYTES: Final = 256 * 1024
"""Stream bytes that the peer leaves unacknowledged which end a link. Source: ours."""

MIN_DATAGRAM_PAYLOAD_BYTES: Final = 512
"""DATAGRAM payload that a peer has to take: sound, and copies of it. Source: ours."""

MAX_HALF_OPEN_TUNNELS: Final = 256
"""TCP connections in their handshakes. Source: ours; a core does some 500 a second."""

MAX_HALF_OPEN_TUNNELS_PER_SOURCE: Final = 32
"""Those of one IPv4 host or IPv6 /64. Source: ours; an eighth of all."""

TUNNEL_BACKLOG: Final = 256
"""Connections that the kernel keeps until they are accepted. Source: ours."""

TUNNEL_PROOF_S: Final = 10.0
"""How long a WebSocket may go without a link. Source: ours; twice a handshake."""

TUNNEL_SWEEP_S: Final = 2.0
"""Pause between looks for such WebSockets. Source: ours."""

TUNNEL_MAX_DATAGRAM_BYTES: Final = 1500
"""Largest datagram in a WebSocket. Source: ours; QUIC's have 1200, framed 1209."""

TUNNEL_QUEUE_DATAGRAMS: Final = 16
"""Datagrams that wait for a slow TCP connection, then the oldest goes. Source: ours;
320 ms of sound."""

TUNNEL_UNSENT_BYTES: Final = 2048
"""What the kernel may hold unsent of a TCP connection. Source: ours; 250 ms of sound,
and one datagram of a handshake."""

TUNNEL_MAX_UNSENT_BYTES: Final = 64 * 1024
"""What may wait in a WebSocket, pongs included, before it ends. Source: ours."""

TUNNEL_READ_BYTES: Final = 4096
"""Slice in which a WebSocket is read. Source: ours; others get their turn after it."""

TUNNEL_MAX_FRAMES_PER_S: Final = 2000
"""WebSocket frames read of one connection. Source: ours; ten channels' worth."""

TUNNEL_BURST_S: Final = 0.5
"""How much of that at once. Source: ours."""

UDP_AGAIN_MIN_S: Final = 45.0
"""Pause before UDP is tried again while TCP carries us, at least. Source: ours."""

UDP_AGAIN_MAX_S: Final = 75.0
"""The same, at most. Source: ours."""
