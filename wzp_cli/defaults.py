"""Every number that shapes behaviour: unit in the name, source under it.

Two kinds, never mixed: what a specification asks for, and what we chose.
"""

from typing import Final

__all__ = [
    "ADDRESS_STAGGER_S",
    "AUTO_GAIN_MAX_DB",
    "BABBLE_PEAK_INT16",
    "BURST_RATIO",
    "CALL_IDLE_TIMEOUT_S",
    "CALL_KEEPALIVE_ANSWER_S",
    "CHANNEL_AGAIN_FIRST_S",
    "CHANNEL_AGAIN_MAX_S",
    "CHECK_GIVE_UP_S",
    "CHECK_TIMES_S",
    "CONGESTION_WINDOW_BYTES",
    "CONNECTION_ID_BYTES",
    "CONTROL_MAX_CLIENTS",
    "CONTROL_MAX_EVENTS_WAITING",
    "CONTROL_MAX_FOLLOWERS",
    "CONTROL_MAX_REPLY_BYTES",
    "CONTROL_MAX_REQUEST_BYTES",
    "CONTROL_REPLY_S",
    "CONTROL_REQUEST_S",
    "COPY_REACH_MAX_FRAMES",
    "DATAGRAM_QUEUE_FRAMES",
    "DELAYED_ACK_S",
    "DEMO_CALL_MARGIN_S",
    "DEMO_MIN_CORRELATION",
    "DEMO_PAUSE_FRAMES",
    "DEMO_RELAYED_MAX_FRAMES",
    "DEMO_SOUND_MAX_FRAMES",
    "DETECT_ANSWER_S",
    "DETECT_DOUBT_S",
    "DETECT_SPARES",
    "DETECT_TIMEOUT_S",
    "DIRECT_PROBE_S",
    "DOCTOR_BUSY_LOAD",
    "DOCTOR_CLOCK_OFF_S",
    "DOCTOR_HEAR_S",
    "DOCTOR_LOW_DISK_BYTES",
    "DOCTOR_RELAY_S",
    "DOCTOR_TCP_S",
    "DRAIN_MAX_SHARE",
    "FALLBACK_CODEC",
    "FAREWELL_TIMEOUT_S",
    "FILTER_FAR_WAIT_S",
    "FILTER_GRACE_S",
    "FILTER_PROBES_S",
    "FILTER_WAIT_S",
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
    "GAIN_MAX_DB",
    "GAIN_MIN_DB",
    "HAIRPIN_GRACE_S",
    "HAIRPIN_TRIES_S",
    "HANDSHAKE_TIMEOUT_S",
    "HELLO_TIMEOUT_S",
    "HOOK_EVENTS_WAITING",
    "HOOK_LAST_WAIT_S",
    "HOOK_OUTPUT_BYTES",
    "HOOK_TIMEOUT_S",
    "IDD_FREE_DELAY_MS",
    "JITTER_CALM_FRAMES",
    "JITTER_CONCEALED_MAX_FRAMES",
    "JITTER_DELAY_MAX_S",
    "JITTER_DELAY_MIN_S",
    "JITTER_DELAY_START_S",
    "JITTER_FAR_OFF_S",
    "JITTER_FORGETTING",
    "JITTER_HURRY_FRAMES",
    "JITTER_LIKENESS",
    "JITTER_LIKENESS_EASING",
    "JITTER_LIKENESS_FAR",
    "JITTER_LOWER_GAIN",
    "JITTER_MISSED_S",
    "JITTER_NEAR_OFF_S",
    "JITTER_RAISE_GAIN",
    "JITTER_SAMPLE_S",
    "JITTER_STEP_S",
    "JITTER_STORED_MAX_FRAMES",
    "JITTER_WINDOW_S",
    "KEEPALIVE_ANSWER_S",
    "KEEPALIVE_MAX_S",
    "KEEPALIVE_MIN_S",
    "LIFETIME_MAX_SILENCES",
    "LIFETIME_MAX_SILENCE_S",
    "LIFETIME_PATIENCE_S",
    "LIFETIME_SILENCES_S",
    "LIFETIME_STREAM_S",
    "LIKENESS_PIECE_SAMPLES",
    "LIKENESS_QUIET_RATIO",
    "LIKENESS_REACH_SAMPLES",
    "LINK_IDLE_TIMEOUT_S",
    "LOOPBACK_FRAMES",
    "LOOP_LAG_BUCKETS_S",
    "LOOP_LAG_PROBE_S",
    "LOSS_CALM_S",
    "LOSS_FAST_S",
    "LOSS_HOPELESS_PCT",
    "LOSS_MIN_FRAMES",
    "LOSS_SLOW_S",
    "LOWEST_PEER_PORT",
    "MAX_ANNOUNCED_CHANNELS",
    "MAX_CANDIDATES",
    "MAX_CANDIDATES_OF_CALL",
    "MAX_HALF_OPEN_CHANNELS",
    "MAX_HALF_OPEN_STRANGERS",
    "MAX_HALF_OPEN_TUNNELS",
    "MAX_HALF_OPEN_TUNNELS_PER_SOURCE",
    "MAX_MESSAGE_BEFORE_HELLO_BYTES",
    "MAX_MESSAGE_BYTES",
    "MAX_PENDING_CHECKS",
    "MAX_QUEUED_BYTES",
    "MAX_SERVED_LINKS",
    "MAX_TEXT_CHARACTERS",
    "MAX_TICKET_CHARACTERS",
    "MAX_TLS_MESSAGE_BYTES",
    "MAX_TOLD_REFUSALS",
    "MAX_UNSENT_BYTES",
    "MEASURE_SPARES",
    "MEASURE_TIMEOUT_S",
    "MEDIA_CLOCK_HZ",
    "MEDIA_DRAIN_MAX_S",
    "MEDIA_FLOW_ID",
    "MEDIA_FRAME_BYTES",
    "MEDIA_FRAME_MS",
    "MEDIA_FRAME_SAMPLES",
    "MEETING_TIMES_S",
    "MEETING_WAIT_S",
    "MIN_DATAGRAM_PAYLOAD_BYTES",
    "MISSED_CALLS_KEPT",
    "MOS_CONCEALED_HALF_PCT",
    "MOS_CONCEALED_POWER",
    "MOS_SPAN",
    "MUTUAL_SPARES",
    "NAT_ALLOCATION_MIN_SAMPLES",
    "NAT_SEQUENTIAL_MAX_GAP_PORTS",
    "NEXT_STEPS_ASK_S",
    "NEXT_STEPS_CONTACTS",
    "NOISE_SUPPRESSION_LEVEL",
    "OPENED_WAIT_S",
    "OPENER_REFRESH_S",
    "OPENER_TTLS_HOPS",
    "OPUS_BITRATES_BPS",
    "OPUS_BITRATE_BPS",
    "OPUS_COMPLEXITY",
    "OPUS_CONCEAL_FRAMES",
    "OPUS_EASY_COMPLEXITY",
    "OPUS_FADE_FRAMES",
    "OPUS_LOOKAHEAD_MS",
    "OPUS_PAYLOAD_TYPE",
    "OPUS_RESUME_SAMPLES",
    "OUTPUT_LAST_WAIT_S",
    "OUTPUT_QUEUE_LINES",
    "PACE_CATCH_UP_MAX_S",
    "PATH_MTU_BYTES",
    "PATH_MTU_TRIES_S",
    "PCMU_BITRATE_BPS",
    "PCMU_CLOCK_HZ",
    "PCMU_CONCEAL_FRAMES",
    "PCMU_PAYLOAD_TYPE",
    "PCP_PORT",
    "PEER_KEEPALIVE_S",
    "PING_INTERVAL_S",
    "PING_SERVED_S",
    "PIPE_BUFFER_BYTES",
    "PIPE_FLUSH_MAX_S",
    "PIPE_QUEUE_FRAMES",
    "PORTAL_CHECK_HOST",
    "PORTAL_CHECK_PATH",
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
    "PREFERRED_RELAY_BETTER_S",
    "PREFERRED_RELAY_BETTER_SHARE",
    "PROBE_ONLY_PINGS",
    "PUBLIC_STUN_SERVERS",
    "QUALITY_MAX_QUEUE_MS",
    "QUALITY_PAUSE_S",
    "QUEUE_BUCKET_S",
    "QUEUE_EMPTY_MS",
    "QUEUE_FULL_MS",
    "QUEUE_GROWTH",
    "QUEUE_MEMORY_S",
    "QUIC_MAX_DATAGRAM_FRAME_BYTES",
    "QUIC_MIN_INITIAL_BYTES",
    "QUIC_MIN_INITIAL_DCID_BYTES",
    "RANDOM_PORT_TRIES",
    "RATE_DOUBT_PCT",
    "RATE_DOUBT_S",
    "RATE_HEADROOM",
    "RATE_IN_VAIN_RATIO",
    "RATE_PATIENCE_MAX_S",
    "RATE_PATIENCE_MIN_S",
    "RATE_SETTLE_S",
    "RATE_STEP_RATIO",
    "RECEIVE_BATCH_DATAGRAMS",
    "RECEIVE_BUFFER_BYTES",
    "RECORDING_CLOSE_MAX_S",
    "RECORDING_FREE_MIN_BYTES",
    "RECORDING_NAMES_MAX",
    "RECORDING_PIECE_S",
    "RECORDING_QUEUE_PIECES",
    "RECORDING_TOLERANCE_S",
    "RECORDING_WAIT_S",
    "REDUNDANCY_MAX_OFFSET_FRAMES",
    "REDUNDANCY_PAYLOAD_TYPE",
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
    "RELAY_MAX_CHANNELS_PER_IDENTITY",
    "RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN",
    "RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN",
    "RELAY_MAX_DEVICES_PER_TARGET",
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
    "RELAY_PROBE_S",
    "RELAY_RETRIES_PER_S",
    "RELAY_SWEEP_S",
    "RELAY_TCP_DEFAULT_PORT",
    "REMEMBERED_PORT_FIRST",
    "REMEMBERED_PORT_LAST",
    "REOPENING_S",
    "REORDER_MAX_FRAMES",
    "REORDER_MIN_FRAMES",
    "RETRIES_PER_S",
    "RETRY_FIRST_S",
    "RETRY_LATER_S",
    "RING_AMPLITUDE_INT16",
    "RING_BACK_CADENCE_S",
    "RING_BACK_HZ",
    "RING_CADENCE_S",
    "RING_HZ",
    "RING_TIMEOUT_S",
    "ROUTE_DOUBT_S",
    "ROUTE_GIVE_UP_S",
    "RTP_JITTER_GAIN",
    "RTP_MAX_DROPOUT_PACKETS",
    "RTP_MAX_MISORDER_PACKETS",
    "RTT_STICKINESS_S",
    "SCREEN_BELL_S",
    "SCREEN_DELAY_FULL_MS",
    "SCREEN_DELAY_LONG_MS",
    "SCREEN_DELAY_SLOW_MS",
    "SCREEN_HISTORY_S",
    "SCREEN_IDLE_TICK_S",
    "SCREEN_KEPT_BYTES",
    "SCREEN_LEVEL_FLOOR_DBFS",
    "SCREEN_LEVEL_FRAMES",
    "SCREEN_LEVEL_HIGH_DBFS",
    "SCREEN_LEVEL_LOUD_DBFS",
    "SCREEN_LOSS_FULL_PCT",
    "SCREEN_LOSS_HIGH_PCT",
    "SCREEN_LOSS_SOME_PCT",
    "SCREEN_MAX_COLUMNS",
    "SCREEN_NEWS",
    "SCREEN_PAST_CALLS",
    "SCREEN_QUIT_GUARD_S",
    "SCREEN_TICK_S",
    "SEARCH_BATCH",
    "SEARCH_BATCH_S",
    "SEARCH_HEAD_START_MAX_S",
    "SEARCH_HEAD_START_MIN_S",
    "SEARCH_MAX_PROBES",
    "SEARCH_NARROWING_MIN_SAMPLES",
    "SEARCH_PAUSE_S",
    "SEARCH_PROBES_PER_S",
    "SEARCH_REFRESH_S",
    "SEARCH_ROUNDS",
    "SEARCH_SAMPLES",
    "SEARCH_SPAN_S",
    "SEARCH_SPARES",
    "SEARCH_WAIT_S",
    "SOUND_BLOCK_SAMPLES",
    "SOUND_CHECK_LEVEL_FRAMES",
    "SOUND_CHECK_S",
    "SOUND_MIC_QUEUE_BLOCKS",
    "SOUND_RESCAN_S",
    "SOUND_SPEAKER_LOW_BLOCKS",
    "SOUND_SPEAKER_QUEUE_BLOCKS",
    "SOUND_STALL_MAX_S",
    "SOUND_SWITCH_INTERVAL_S",
    "SPRAY_CHECKS_BURST",
    "SPRAY_CHECKS_PER_S",
    "SPRAY_MAX_HOSTS",
    "SSDP_SEARCH_S",
    "STANDBY_PROBE_S",
    "STATS_INTERVAL_S",
    "STATUS_ANSWER_S",
    "STRAY_CHECKS",
    "STRETCH_LONGEST_SAMPLES",
    "STRETCH_QUIET_RMS",
    "STRETCH_SHORTEST_SAMPLES",
    "STUN_ANSWERS_PER_S",
    "STUN_DEFAULT_PORT",
    "STUN_TRIES_S",
    "SURROUNDINGS_INTERVAL_S",
    "TALK_KEY_HELD_S",
    "TALK_KEY_REPEATED_S",
    "TCP_LOOK_S",
    "THRIFTY_DOUBT_S",
    "THRIFTY_PROBE_S",
    "THRIFTY_S",
    "TONE_AMPLITUDE_INT16",
    "TONE_DEFAULT_HZ",
    "TONE_EDGE_S",
    "TONE_MAX_HZ",
    "TONE_MIN_HZ",
    "TRACE_TRIES_S",
    "TRACE_WAIT_S",
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
    "UDP_AGAIN_MAX_S",
    "UDP_AGAIN_MIN_S",
    "UPNP_MAX_BYTES",
    "UPNP_PORT_TRIES",
    "UPNP_TIMEOUT_S",
    "VERDICT_MIN_LOSS_PCT",
    "VERDICT_MIN_MOS",
    "WALK_HOP_S",
    "WALK_MAX_HOPS",
    "WAV_HEADER_EVERY_FRAMES",
    "WAV_RATE_MAX_HZ",
    "WAV_RATE_MIN_HZ",
    "WIRE_PACKET_OVERHEAD_BYTES",
    "WIRE_RATE_MAX_RATIO",
]

# --- From a specification -------------------------------------------------------

MEDIA_CLOCK_HZ: Final = 48_000
"""Media clock, whatever the audio bandwidth. Source: RFC 7587 section 4.1."""

MEDIA_FRAME_MS: Final = 20
"""Length of one Opus frame as wzp sends it. Source: RFC 6716 section 2.1.4."""

MEDIA_FRAME_SAMPLES: Final = MEDIA_CLOCK_HZ * MEDIA_FRAME_MS // 1000
"""Samples of one frame. Source: the two constants above."""

MEDIA_FRAME_BYTES: Final = 2 * MEDIA_FRAME_SAMPLES
"""Bytes of one frame of int16 mono. Source: the constant above."""

PCMU_CLOCK_HZ: Final = 8_000
"""Sampling rate of G.711. Source: RFC 3551 section 6."""

PCMU_BITRATE_BPS: Final = 64_000
"""Bitrate of G.711: 8 bits for each sample. Source: ITU-T G.711."""

PCMU_PAYLOAD_TYPE: Final = 0
"""Static RTP payload type of mu-law. Source: RFC 3551 section 6, table 4."""

TURN_FIRST_CHANNEL: Final = 0x4000
"""Lowest channel number of TURN. Source: RFC 8656 section 12."""

TURN_LAST_CHANNEL: Final = 0x4FFF
"""Highest channel number of TURN. Source: RFC 8656 section 12."""

TURN_LIFETIME_S: Final = 600
"""How long an allocation is asked for. Source: RFC 8656 section 3.2."""

STUN_DEFAULT_PORT: Final = 3478
"""Port of a STUN server without SRV record. Source: RFC 8489 section 18.4."""

RTP_MAX_DROPOUT_PACKETS: Final = 3000
"""Jump ahead that is still the same stream. Source: RFC 3550 appendix A.1."""

RTP_MAX_MISORDER_PACKETS: Final = 100
"""Jump back that is still the same stream. Source: RFC 3550 appendix A.1."""

RTP_JITTER_GAIN: Final = 1 / 16
"""Weight of the newest packet in the jitter. Source: RFC 3550 section 6.4.1."""

IDD_FREE_DELAY_MS: Final = 100.0
"""One-way delay that impairs nothing. Source: ITU-T G.107 clause 7.4 (Idd)."""

OPUS_LOOKAHEAD_MS: Final = 6.5
"""What Opus itself delays, beside the frame. Source: RFC 6716 section 2.1.4 (VoIP)."""

QUIC_MIN_INITIAL_DCID_BYTES: Final = 8
"""Shortest connection ID that a dialler may make up. Source: RFC 9000 section 7.2."""

# --- Chosen by us ---------------------------------------------------------------

RELAY_DEFAULT_PORT: Final = 4433
"""UDP port of a relay. Source: ours (docs/protocol.md); QUIC test servers use it."""

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""Largest signalling message. Source: ours (docs/security.md, input)."""

MAX_MESSAGE_BEFORE_HELLO_BYTES: Final = 4 * 1024
"""Largest message before the other side is known. Source: as the one above."""

MAX_CANDIDATES: Final = 8
"""Candidates that one side may name. Source: ours (docs/nat.md, abuse limits)."""

MAX_CANDIDATES_OF_CALL: Final = 64
"""Addresses that a peer may name in one call, moves and all. Source: ours."""

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

HANDSHAKE_TIMEOUT_S: Final = 5.0
"""How long a handshake may stay half open. Source: ours (docs/security.md)."""

MAX_HALF_OPEN_STRANGERS: Final = 32
"""Handshakes under way with strangers. Source: ours; below 64 in all."""

MAX_HALF_OPEN_CHANNELS: Final = 32
"""Handshakes under way through announced channels. Source: as above."""

RETRIES_PER_S: Final = 100.0
"""Retry packets sent to strangers. Source: ours; 100 B each."""

STUN_ANSWERS_PER_S: Final = 500.0
"""Binding requests answered by a relay's port. Source: ours."""

STUN_TRIES_S: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
"""When a Binding request is (re)sent. Source: ours, after netcheck's 0/100/200 ms."""

MAX_PENDING_CHECKS: Final = 2048
"""Checks whose answer is still awaited; the oldest is forgotten. Source: ours."""

RECEIVE_BATCH_DATAGRAMS: Final = 64
"""Datagrams read at one wake-up before others get their turn. Source: measured."""

RECEIVE_BUFFER_BYTES: Final = 1 << 20
"""SO_RCVBUF asked for; the kernel may grant less. Source: ours."""

FAREWELL_TIMEOUT_S: Final = 0.5
"""How long to wait for the acknowledgement of last words. Source: ours."""

RANDOM_PORT_TRIES: Final = 10
"""Other ports tried when the wanted one is taken. Source: ours."""

NAT_ALLOCATION_MIN_SAMPLES: Final = 3
"""External ports needed to name an allocation. Source: ours (two gaps between them)."""

NAT_SEQUENTIAL_MAX_GAP_PORTS: Final = 64
"""Ports that other traffic may take between two of ours. Source: ours; three random
ports lie that close less than once in 100 000 times."""

RELAY_CHANNEL_BURST_S: Final = 1.0
"""Seconds of its rate that a channel may send at once. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_IDLE_S: Final = 30.0
"""A channel unused for so long is gone. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_MAX_BITS_PER_S: Final = 300_000
"""A channel's rate in one direction. Source: ours (docs/relay.md)."""

RELAY_CHANNEL_MAX_PACKETS_PER_S: Final = 200
"""A channel's packets in one direction. Source: ours: four times what voice sends."""

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

MEDIA_FLOW_ID: Final = 0
"""First byte of a media DATAGRAM, a QUIC varint. Source: ours (docs/protocol.md)."""

MEDIA_DRAIN_MAX_S: Final = 0.5
"""How long stored sound is still played after the end. Source: ours."""

JITTER_DELAY_MIN_S: Final = 0.005
"""Least target delay. Source: ours; the step of what is learnt."""

JITTER_DELAY_START_S: Final = 0.020
"""Target delay before anything was learnt. Source: ours; it grows at once."""

JITTER_DELAY_MAX_S: Final = 0.400
"""Hard cap of the target delay. Source: ours; sound older than this is no talk."""

JITTER_STORED_MAX_FRAMES: Final = 20
"""Hard cap of the span of stored frames. Source: the constant above, in frames."""

JITTER_MISSED_S: Final = 0.85
"""Delay that weighs as much as a missed frame. Source: measured (decision 0014)."""

JITTER_FORGETTING: Final = 0.983
"""Factor by which each half second's sample fades. Source: measured, as NetEQ."""

JITTER_SAMPLE_S: Final = 0.5
"""Time between two samples of the worst delay. Source: measured, as NetEQ."""

JITTER_WINDOW_S: Final = 2.0
"""How long a packet counts as the fastest. Source: measured, as NetEQ."""

JITTER_CONCEALED_MAX_FRAMES: Final = 50
"""Beats concealed when nothing comes; then it is a pause. Source: ours; a second."""

JITTER_STEP_S: Final = 0.005
"""Step in which the target delay is learnt. Source: ours."""

JITTER_NEAR_OFF_S: Final = 0.040
"""Delay above the least safe one that is given back without hurry. Source: ours."""

JITTER_FAR_OFF_S: Final = 0.100
"""Delay above the least safe one that is given back at once. Source: ours."""

JITTER_CALM_FRAMES: Final = 25
"""Frames between two corrections that do not hurry. Source: ours."""

JITTER_HURRY_FRAMES: Final = 5
"""Frames between two corrections that do. Source: ours."""

JITTER_LIKENESS: Final = 0.9
"""Likeness over a pitch period that a correction wants at first. Source: ours."""

JITTER_LIKENESS_FAR: Final = 0.7
"""The same where waiting would cost more than a click. Source: ours."""

JITTER_LIKENESS_EASING: Final = 0.01
"""What less is wanted after each frame that had not enough. Source: ours."""

JITTER_LOWER_GAIN: Final = 0.3
"""Weight of the newest delay where it is less than before. Source: ours."""

JITTER_RAISE_GAIN: Final = 0.01
"""Weight of the newest delay where it is more than before. Source: ours."""

STRETCH_SHORTEST_SAMPLES: Final = 120
"""Shortest pitch period that is left out or put in, 2.5 ms. Source: ours; 400 Hz."""

STRETCH_LONGEST_SAMPLES: Final = 600
"""Longest one, 12.5 ms. Source: ours; 80 Hz; 15 ms measured a little worse."""

STRETCH_QUIET_RMS: Final = 60.0
"""Level of int16 below which any cut goes unheard. Source: ours; -55 dBFS."""

MOS_SPAN: Final = 3.35
"""MOS of a call without concealment, less 1. Source: measured with PESQ-WB."""

MOS_CONCEALED_HALF_PCT: Final = 5.0
"""Percent of frames concealed that halve the span. Source: measured with PESQ-WB."""

MOS_CONCEALED_POWER: Final = 1.4
"""How steeply it falls there. Source: measured with PESQ-WB."""

VERDICT_MIN_MOS: Final = 0.1
"""Points of MOS that a cause must cost to be named. Source: ours; nobody hears less."""

VERDICT_MIN_LOSS_PCT: Final = 0.5
"""Loss that is worth a word at the end of a good call. Source: ours."""

LOWEST_PEER_PORT: Final = 1024
"""Lowest port that a peer may make us send to. Source: ours (docs/security.md)."""

MAX_TEXT_CHARACTERS: Final = 64
"""Longest name or reason of a stranger shown. Source: ours (docs/security.md, text)."""

MAX_TICKET_CHARACTERS: Final = 2048
"""Longest ticket read; the longest one made is shorter. Source: ours."""

REMEMBERED_PORT_FIRST: Final = 20_000
"""First port drawn from on first use. Source: ours; above most servers."""

REMEMBERED_PORT_LAST: Final = 29_999
"""Last one. Source: ours; below the ports that Linux (32768) and others lend out."""

OPUS_BITRATE_BPS: Final = 32_000
"""Constant bitrate of speech. Source: ours; PESQ-WB 4.44 of 4.64, 24k: 4.35."""

OPUS_BITRATES_BPS: Final = (32_000, 24_000, 20_000, 16_000, 12_000)
"""Constant bitrates of speech. Source: measured: PESQ-WB 4.44, 4.35, 4.28, 4.06,
3.53."""

OPUS_COMPLEXITY: Final = 9
"""Encoder effort, 0 to 10. Source: ours; 8 to 10 cost and sound the same."""

OPUS_EASY_COMPLEXITY: Final = 7
"""The same at the full bitrate. Source: measured: 4.44 as with 9, a quarter cheaper."""

OPUS_PAYLOAD_TYPE: Final = 111
"""RTP payload type of Opus. Source: ours (docs/protocol.md); browsers use it too."""

REDUNDANCY_PAYLOAD_TYPE: Final = 112
"""RTP payload type of frames with earlier ones. Source: ours (docs/protocol.md)."""

REDUNDANCY_MAX_OFFSET_FRAMES: Final = 30
"""How far back a copy may be, 600 ms. Source: ours; older sound is no talk."""

COPY_REACH_MAX_FRAMES: Final = 9
"""How many packets back a copy may be. Source: ours; 200 ms are waited for it."""

WIRE_PACKET_OVERHEAD_BYTES: Final = 78
"""Bytes of a voice packet beside the sound: IPv4, UDP, QUIC, an ACK that rides along,
flow id, RTP. Source: measured."""

WIRE_RATE_MAX_RATIO: Final = 1.7
"""How much more than a plain stream may be sent. Source: ours; 107 kbit/s of Opus."""

LOSS_MIN_FRAMES: Final = 50
"""Frames that a share of loss is counted over at least. Source: ours; a second."""

LOSS_FAST_S: Final = 2.0
"""How far back loss counts that sends more copies at once. Source: ours."""

LOSS_SLOW_S: Final = 8.0
"""How far back loss counts that keeps copies going. Source: ours; loss comes again."""

LOSS_CALM_S: Final = 4.0
"""How long fewer copies must do before fewer are sent. Source: ours."""

LOSS_HOPELESS_PCT: Final = 50.0
"""Loss beyond which more copies only make it worse. Source: ours."""

BURST_RATIO: Final = 1.5
"""Mean length of gaps, in that of random loss, that makes bursts. Source: ours."""

REORDER_MIN_FRAMES: Final = 3
"""Later frames that come before one counts as lost. Source: RFC 9002 section 6.1.1."""

REORDER_MAX_FRAMES: Final = 12
"""The most, where the network is seen to reorder. Source: ours; 240 ms."""

QUEUE_BUCKET_S: Final = 0.25
"""Time of which the fastest frame is remembered. Source: ours; 12 frames."""

QUEUE_MEMORY_S: Final = 10.0
"""How long the fastest frame stands for an empty queue. Source: ours, after BBR."""

QUEUE_FULL_MS: Final = 60.0
"""Delay of the fastest frames that makes a queue. Source: ours; three frames."""

QUEUE_EMPTY_MS: Final = 20.0
"""Delay below which there is none. Source: ours; one frame."""

QUEUE_GROWTH: Final = 0.02
"""Seconds a second that make a queue grow. Source: ours; clocks drift 0.0003."""

RATE_HEADROOM: Final = 0.85
"""Share of the measured rate used after a cut. Source: ours; the queue drains."""

RATE_SETTLE_S: Final = 1.5
"""Time after a cut until its effect is looked at. Source: ours; a report."""

DRAIN_MAX_SHARE: Final = 0.4
"""How much of the rate a queue may take to drain. Source: ours; speech goes on."""

RATE_STEP_RATIO: Final = 1.1
"""How far the rate is raised at a time, until that makes a difference. Source: ours."""

RATE_DOUBT_S: Final = 3.0
"""How long new loss is put down to the last rise. Source: ours."""

RATE_DOUBT_PCT: Final = 10.0
"""How much more loss that has to be. Source: ours; chance does less."""

RATE_IN_VAIN_RATIO: Final = 0.6
"""Loss left after a cut, of that before, that shows it was in vain. Source: ours."""

RATE_PATIENCE_MIN_S: Final = 8.0
"""First pause before more is tried after a cut. Source: ours."""

RATE_PATIENCE_MAX_S: Final = 64.0
"""Longest one: it doubles each time that more did not fit. Source: ours."""

QUALITY_PAUSE_S: Final = 0.1
"""Shortest pause between two reports to the peer. Source: ours; five frames."""

QUALITY_MAX_QUEUE_MS: Final = 60_000.0
"""Longest queue that is told. Source: ours; a machine that slept makes longer ones."""

PACE_CATCH_UP_MAX_S: Final = 0.2
"""How far a paced source may lag before beats are dropped. Source: ours."""

PCMU_CONCEAL_FRAMES: Final = 3
"""Frames until concealed G.711 is silent. Source: ours, after G.711 appendix I."""

PIPE_BUFFER_BYTES: Final = 8_192
"""Size asked for a pipe of raw sound, 85 ms. Source: ours; Linux gives 64 KiB."""

PIPE_FLUSH_MAX_S: Final = 0.5
"""How long closing waits for the reader of standard output. Source: ours."""

PIPE_QUEUE_FRAMES: Final = 5
"""Frames that wait between a pipe and the event loop, 100 ms. Source: ours."""

RECORDING_CLOSE_MAX_S: Final = 3.0
"""How long the end of a call waits for its recording. Source: ours."""

RECORDING_FREE_MIN_BYTES: Final = 64 << 20
"""What a recording leaves free on its disk. Source: ours; a caller can't fill it."""

RECORDING_NAMES_MAX: Final = 9_999
"""How many recordings of one name may be beside each other. Source: ours."""

RECORDING_PIECE_S: Final = 1.0
"""How often a recording is written, and made a whole file. Source: ours."""

RECORDING_QUEUE_PIECES: Final = 10
"""Pieces that may wait for a slow disk, 10 s. Source: ours."""

RECORDING_TOLERANCE_S: Final = 0.1
"""How far a side of a recording may be off its time. Source: ours; hardly heard."""

RECORDING_WAIT_S: Final = 0.5
"""How long a recording waits for a side before it is silent. Source: ours."""

LOOPBACK_FRAMES: Final = 5
"""Frames that may wait in the echo service, 100 ms. Source: ours."""

TONE_EDGE_S: Final = 0.005
"""How long a tone takes to begin and to end. Source: ours; no click is heard."""

RING_AMPLITUDE_INT16: Final = 6_000
"""Peak of ring tones, -15 dB of full scale. Source: ours; heard across a room."""

RING_BACK_HZ: Final = (425,)
"""What a caller hears while it rings. Source: ITU-T E.180."""

RING_BACK_CADENCE_S: Final = (1.0, 4.0)
"""Sound, pause. Source: ITU-T E.180 (0.67 to 1.5, and 3 to 5)."""

RING_HZ: Final = (400, 450)
"""What a callee hears. Source: ours; the pair of ITU-T E.180 Supplement 2, UK."""

RING_CADENCE_S: Final = (0.4, 0.2, 0.4, 2.0)
"""Sound, pause, sound, pause. Source: as above."""

SOUND_BLOCK_SAMPLES: Final = 480
"""Block of the sound card, 10 ms. Source: ours; 3 % CPU, blocks of any size 23 %."""

SOUND_CHECK_S: Final = 5.0
"""How long `wzp devices --test` hears the microphone. Source: ours; a sentence."""

SOUND_CHECK_LEVEL_FRAMES: Final = 5
"""How often it tells the level, 100 ms. Source: ours; what the eye follows."""

NEXT_STEPS_ASK_S: Final = 1.0
"""How long `wzp` alone waits for the wzp that runs. Source: ours; a blink."""

NEXT_STEPS_CONTACTS: Final = 3
"""How many contacts it names. Source: ours; it is one screen."""

DOCTOR_HEAR_S: Final = 0.6
"""How long `wzp doctor` hears the microphone. Source: ours; two words."""

DOCTOR_RELAY_S: Final = 8.0
"""How long it waits for all relays. Source: ours; HANDSHAKE_TIMEOUT_S and a welcome."""

DOCTOR_TCP_S: Final = 2.0
"""How long a silent relay's host may take to answer TCP. Source: ours; RFC 6298's
first retransmission comes after 1 s."""

DOCTOR_BUSY_LOAD: Final = 2.0
"""A load above so many programs for each processor is told. Source: ours; at five, on
two processors, `wzp demo` heard its sentence 150 ms late and changed."""

DOCTOR_LOW_DISK_BYTES: Final = 64 << 20
"""Less is told. Source: ours; recordings stop there as well."""

DOCTOR_CLOCK_OFF_S: Final = 300
"""A clock that is further behind its own files is wrong. Source: ours; tickets and
certificates are valid by date, file systems of other machines are minutes off."""

SOUND_MIC_QUEUE_BLOCKS: Final = 20
"""Blocks from the microphone that may wait, 200 ms. Source: ours."""

SOUND_RESCAN_S: Final = 1.0
"""How often devices are listed anew while ours is gone. Source: ours."""

SOUND_SPEAKER_LOW_BLOCKS: Final = 1
"""At how many blocks left the speaker wants more: 10 ms to answer. Source: ours."""

SOUND_SPEAKER_QUEUE_BLOCKS: Final = 10
"""Blocks for the speaker that may wait, 100 ms. Source: ours."""

SOUND_STALL_MAX_S: Final = 2.0
"""Silence of a device after which it counts as gone. Source: ours."""

SOUND_SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread holds the interpreter in a call. Source: ours; no underruns."""

AUTO_GAIN_MAX_DB: Final = 6.0
"""Most that automatic gain adds. Source: ours; with 12, the first words are clipped."""

GAIN_MAX_DB: Final = 40
"""Most that --gain-in and --gain-out add. Source: ours; 100 times louder."""

GAIN_MIN_DB: Final = -60
"""Least of them. Source: ours; below that nothing is left of 16 bits but noise."""

NOISE_SUPPRESSION_LEVEL: Final = 1
"""Strength of noise suppression, 0 to 3: 12 dB. Source: ours; WebRTC's own default."""

TONE_AMPLITUDE_INT16: Final = 4_096
"""Peak of the test tone, -18 dB of full scale. Source: ours; gentle on the ear."""

TONE_DEFAULT_HZ: Final = 440
"""Pitch of `tone`. Source: ISO 16."""

TONE_MAX_HZ: Final = 20_000
"""Highest test tone. Source: ours; the limit of hearing, and of Opus."""

TONE_MIN_HZ: Final = 20
"""Lowest test tone. Source: ours; the limit of hearing."""

WAV_HEADER_EVERY_FRAMES: Final = 50
"""How often a WAV header is brought up to date, 1 s. Source: ours."""

WAV_RATE_MAX_HZ: Final = 768_000
"""Highest sampling rate read from a file. Source: ours; more is a broken header."""

WAV_RATE_MIN_HZ: Final = 1_000
"""Lowest sampling rate read from a file. Source: ours; less is a broken header."""

KEEPALIVE_MIN_S: Final = 15.0
"""Shortest pause between keep-alives of an idle registration. Source: docs/nat.md."""

KEEPALIVE_MAX_S: Final = 25.0
"""Longest one: below the 30 s that a NAT keeps an idle mapping. Source: docs/nat.md."""

KEEPALIVE_ANSWER_S: Final = 4.0
"""Silence after a keep-alive that means the relay is lost. Source: ours."""

CALL_KEEPALIVE_ANSWER_S: Final = 1.5
"""The same in a call: soon, but a queue of half a second each way is no silence.
Source: ours."""

CHANNEL_AGAIN_FIRST_S: Final = 0.5
"""First pause before a call asks for another channel again. Source: ours."""

CHANNEL_AGAIN_MAX_S: Final = 30.0
"""Longest such pause; it doubles up to here. Source: ours; a relay's limits."""

RELAY_ANSWER_TIMEOUT_S: Final = 5.0
"""How long a relay may take to answer a message. Source: ours."""

RELAY_BACKOFF_FIRST_S: Final = 1.0
"""Longest pause before the first try to find a lost relay again. Source: ours."""

RELAY_BACKOFF_MAX_S: Final = 30.0
"""Longest pause between later tries; it doubles up to here. Source: ours."""

MAX_TOLD_REFUSALS: Final = 128
"""Blocked identities that a relay is told of; the device itself refuses the rest, too.

Source: ours, 7 of 16 KiB that a message may have.
"""

MAX_ANNOUNCED_CHANNELS: Final = 64
"""Channels that a relay may announce to one client at a time. Source: ours."""

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

RETRY_LATER_S: Final = 60.0
"""Pause before later rounds. Source: docs/nat.md."""

DIRECT_PROBE_S: Final = 0.1
"""Pause between probes of the direct route in use. Source: docs/nat.md."""

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

RTT_STICKINESS_S: Final = 0.005
"""How much better another route must be, or a third. Source: docs/nat.md."""

HELLO_TIMEOUT_S: Final = 5.0
"""How long a new link may go without hello, or without an offer. Source: ours."""

RING_TIMEOUT_S: Final = 45.0
"""How long a call rings. Source: ours; as telephones do."""

STATS_INTERVAL_S: Final = 1.0
"""Pause between statistics. Source: docs/usage.md."""

PEER_KEEPALIVE_S: Final = 3.0
"""Pause between keep-alives of a link between peers. Source: ours; idle is 10 s."""

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

RELAY_DRAIN_S: Final = 10.0
"""How long calls may go on after SIGTERM. Source: ours; below systemd's 90 s."""

LOOP_LAG_PROBE_S: Final = 0.1
"""Pause between looks at how late the event loop is. Source: ours; costs nothing."""

LOOP_LAG_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper ends of the histogram of lateness. Source: ours; voice has 20 ms frames."""

STATUS_ANSWER_S: Final = 2.0
"""How long a relay may take to answer its own operator. Source: ours."""

RELAY_EXTRA_PORTS: Final = 3
"""Ports after the relay's own that answer STUN. Source: ours (docs/protocol.md)."""

DETECT_TIMEOUT_S: Final = 5.0
"""How long `detect-nat` waits for servers. Source: docs/nat.md, as netcheck's cap."""

BABBLE_PEAK_INT16: Final = 9_000
"""Peak of made-up speech, -11 dB of full scale. Source: ours; as loud as a voice."""

LIKENESS_PIECE_SAMPLES: Final = 9_600
"""Length of the pieces that are compared, 200 ms. Source: ours; one syllable."""

LIKENESS_REACH_SAMPLES: Final = MEDIA_CLOCK_HZ
"""How far from its place a piece is looked for, 1 s. Source: ours."""

LIKENESS_QUIET_RATIO: Final = 0.01
"""Energy against the loudest piece that counts as a pause. Source: ours; -20 dB."""

DEMO_MIN_CORRELATION: Final = 0.85
"""Likeness that passes as heard. Source: measured; Opus 0.99, 20 % lost 0.76."""

DEMO_PAUSE_FRAMES: Final = 10
"""Silence before and after what the demo says. Source: ours; more than the delay."""

DEMO_RELAYED_MAX_FRAMES: Final = 150
"""How much of a long recording is sent over the relay, 3 s. Source: ours."""

DEMO_SOUND_MAX_FRAMES: Final = 3_000
"""How much of a long recording is sent directly, 60 s. Source: ours."""

DEMO_CALL_MARGIN_S: Final = 5.0
"""How much longer than its sound a call of the demo may take. Source: ours."""

STRAY_CHECKS: Final = 1
"""Checks that a copied packet draws to its source. Source: ours (docs/security.md)."""

MAX_SERVED_LINKS: Final = 32
"""Links of callers that a listener serves at a time. Source: ours."""

ADDRESS_STAGGER_S: Final = 0.25
"""Head start of a server's address over the next one. Source: RFC 8305 section 8."""

FALLBACK_CODEC: Final = "pcmu"
"""The codec that every wzp has, whatever is installed. Source: RFC 3551 section 6."""

OPUS_CONCEAL_FRAMES: Final = 25
"""Lost frames in a row after which there is silence: half a second. Source: ours."""

OPUS_FADE_FRAMES: Final = 20
"""How many of them fade. Source: ours; the first 100 ms keep their level."""

OPUS_RESUME_SAMPLES: Final = 240
"""Over which sound comes back after a fade, 5 ms. Source: ours; no click, no loss."""

WALK_MAX_HOPS: Final = 6
"""Hops looked at for the first public router. Source: ours; double NAT needs three."""

TRACE_TRIES_S: Final = (0.0, 0.1, 0.25, 0.5)
"""When each hop that has not answered is asked. Source: ours; one loss costs 0.1 s."""

TRACE_WAIT_S: Final = 1.2
"""How long hops are waited for. Source: ours; two round trips of a satellite."""

WALK_HOP_S: Final = 0.3
"""How long a router may take to say that a datagram died there. Source: ours."""

REOPENING_S: Final = 0.5
"""How long openers are ahead of the checks of a later round. Source: ours."""

MAX_UNSENT_BYTES: Final = 256 * 1024
"""Stream bytes that the peer leaves unacknowledged which end a link. Source: ours."""

OUTPUT_QUEUE_LINES: Final = 1000
"""Lines kept for a slow reader of a stream of events. Source: ours."""

OUTPUT_LAST_WAIT_S: Final = 2.0
"""How long the last lines may take to be read, at the end. Source: ours."""

MIN_DATAGRAM_PAYLOAD_BYTES: Final = 512
"""DATAGRAM payload that a peer has to take: sound, and copies of it. Source: ours."""

RELAY_MAX_LINKS_PER_IDENTITY: Final = 32
"""Links that one identity may have at a relay. Source: ours; devices, and calls."""

RELAY_MAX_LINKS: Final = 20_000
"""Links that a relay holds; 72 KB each. Source: measured; 1.4 GB."""

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
"""Searches, or rounds of prediction, of one call. Source: ours."""

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

CONTROL_MAX_CLIENTS: Final = 24
"""Clients of a control socket at once. Source: ours; followers, and as many others."""

CONTROL_MAX_FOLLOWERS: Final = 16
"""Of them, those that follow events. Source: ours; some place is left for orders."""

HOOK_TIMEOUT_S: Final = 10.0
"""How long a hook's program may run. Source: ours; long enough to ask a service."""

HOOK_LAST_WAIT_S: Final = 2.0
"""How long hooks may run on when wzp ends. Source: ours; Ctrl-C should not hang."""

HOOK_EVENTS_WAITING: Final = 16
"""Events of a kind that wait for a hook. Source: ours; what is older is no news."""

HOOK_OUTPUT_BYTES: Final = 16_384
"""Most of a hook's output that is logged. Source: ours."""

MISSED_CALLS_KEPT: Final = 20
"""Missed calls that `wzp status` lists. Source: ours; they fit on a screen."""

CONTROL_MAX_EVENTS_WAITING: Final = 256
"""Events that wait for a client that reads slowly. Source: ours."""

CONTROL_MAX_REQUEST_BYTES: Final = 16_384
"""Longest request on a control socket. Source: ours; as signalling messages."""

CONTROL_MAX_REPLY_BYTES: Final = 262_144
"""Longest line of a reply, and most that waits for a reader. Source: ours."""

CONTROL_REQUEST_S: Final = 2.0
"""How long a client may take to say what it wants. Source: ours; it is a program."""

CONTROL_REPLY_S: Final = 2.0
"""How long the first reply, or a reader, may keep us waiting. Source: ours."""
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

RELAY_TCP_DEFAULT_PORT: Final = 443
"""Where a relay is looked for by TCP. Source: RFC 6455 section 11.1.2 (wss)."""

RELAY_MAX_TUNNELS: Final = 4096
"""TCP connections of a relay. Source: ours; some 100 KiB each with TLS."""

RELAY_MAX_TUNNELS_PER_SOURCE: Final = 256
"""TCP connections of one IPv4 host or IPv6 /64. Source: ours; one office's NAT."""

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

SCREEN_TICK_S: Final = 0.1
"""How often the screen of a call moves. Source: ours; a level meter looks alive."""

SCREEN_IDLE_TICK_S: Final = 1.0
"""How often it moves between calls. Source: ours; its clock."""

SCREEN_BELL_S: Final = 3.0
"""How often the terminal's bell rings. Source: RING_CADENCE_S, one turn."""

SCREEN_MAX_COLUMNS: Final = 100
"""Widest that the screen is drawn. Source: ours; longer bars tell no more."""

SCREEN_HISTORY_S: Final = 120
"""Seconds of loss and delay that are kept. Source: ours; more than a line holds."""

SCREEN_NEWS: Final = 40
"""Sentences that the screen keeps. Source: ours; more than a page holds."""

SCREEN_PAST_CALLS: Final = 50
"""Calls that the screen remembers. Source: ours."""

SCREEN_LEVEL_FRAMES: Final = 5
"""Frames that a level is taken of. Source: SCREEN_TICK_S."""

SCREEN_LEVEL_FLOOR_DBFS: Final = -60.0
"""Left end of a level meter. Source: ours; a quiet room."""

SCREEN_LEVEL_HIGH_DBFS: Final = -12.0
"""From here a level is yellow. Source: ours; speech stays below."""

SCREEN_LEVEL_LOUD_DBFS: Final = -3.0
"""From here it is red. Source: ours; a mean so high is clipping."""

SCREEN_LOSS_SOME_PCT: Final = 2.0
"""From here loss is yellow. Source: ours; copies make up for less."""

SCREEN_LOSS_HIGH_PCT: Final = 10.0
"""From here it is red. Source: ours; see docs/decisions/0015."""

SCREEN_LOSS_FULL_PCT: Final = 20.0
"""Loss that fills a sparkline's cell. Source: ours."""

SCREEN_DELAY_SLOW_MS: Final = 150.0
"""From here the delay is yellow. Source: ITU-T G.114: not felt below."""

SCREEN_DELAY_LONG_MS: Final = 400.0
"""From here it is red. Source: ITU-T G.114: too long to plan with."""

SCREEN_DELAY_FULL_MS: Final = 500.0
"""Delay that fills a sparkline's cell. Source: ours."""

TALK_KEY_HELD_S: Final = 0.75
"""How long a first press of space counts. Source: ours; keyboards repeat a held key
after 250 to 660 ms."""

TALK_KEY_REPEATED_S: Final = 0.3
"""How long each repetition counts. Source: ours; ten a second and a slow SSH."""

SCREEN_QUIT_GUARD_S: Final = 1.0
"""How long after a hang-up the same key does not stop the listener, too. Source: ours;
a key that is held, or pressed twice."""

SCREEN_KEPT_BYTES: Final = 16_384
"""What is kept of standard error while the screen is up. Source: ours; some pages."""
