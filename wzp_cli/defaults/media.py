"""Sound on its way: packets, jitter buffer, what is sent when, how good it is."""

from typing import Final

__all__ = [
    "FALLBACK_CODEC",
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
    "JITTER_LONG_S",
    "JITTER_LOWER_GAIN",
    "JITTER_MISSED_S",
    "JITTER_NEAR_OFF_S",
    "JITTER_RAISE_GAIN",
    "JITTER_SAMPLE_S",
    "JITTER_STEP_S",
    "JITTER_STORED_MAX_FRAMES",
    "JITTER_WINDOW_S",
    "MEDIA_CLOCK_HZ",
    "MEDIA_DRAIN_MAX_S",
    "MEDIA_FLOW_ID",
    "MEDIA_FRAME_BYTES",
    "MEDIA_FRAME_MS",
    "MEDIA_FRAME_SAMPLES",
    "MOS_CONCEALED_HALF_PCT",
    "MOS_CONCEALED_POWER",
    "MOS_SPAN",
    "OPUS_BITRATES_BPS",
    "OPUS_BITRATE_BPS",
    "OPUS_COMPLEXITY",
    "OPUS_CONCEAL_FRAMES",
    "OPUS_EASY_COMPLEXITY",
    "OPUS_FADE_FRAMES",
    "OPUS_LOOKAHEAD_MS",
    "OPUS_PAYLOAD_TYPE",
    "OPUS_RESUME_SAMPLES",
    "PCMU_BITRATE_BPS",
    "PCMU_CLOCK_HZ",
    "PCMU_CONCEAL_FRAMES",
    "PCMU_PAYLOAD_TYPE",
    "QUALITY_MAX_QUEUE_MS",
    "REDUNDANCY_MAX_OFFSET_FRAMES",
    "REDUNDANCY_PAYLOAD_TYPE",
    "REPORT_FLOW_ID",
    "RTP_JITTER_GAIN",
    "RTP_MAX_DROPOUT_PACKETS",
    "RTP_MAX_MISORDER_PACKETS",
    "STATS_INTERVAL_S",
    "STRETCH_LONGEST_SAMPLES",
    "STRETCH_QUIET_RMS",
    "STRETCH_SHORTEST_SAMPLES",
    "VERDICT_MIN_LOSS_PCT",
    "VERDICT_MIN_MOS",
    "WIRE_PACKET_OVERHEAD_BYTES",
]

# --- From a specification --------------------------------------------------------

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

# --- Chosen by us ----------------------------------------------------------------

MEDIA_FLOW_ID: Final = 0
"""First byte of a media DATAGRAM, a QUIC varint. Source: ours (docs/protocol.md)."""

REPORT_FLOW_ID: Final = 1
"""First byte of a DATAGRAM that reports. Source: ours (docs/protocol.md)."""

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

JITTER_LONG_S: Final = 0.25
"""Delay from which talk suffers, so that it weighs double. Source: ITU-T G.107."""

JITTER_MISSED_S: Final = 2.4
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

WIRE_PACKET_OVERHEAD_BYTES: Final = 78
"""Bytes of a voice packet beside the sound: IPv4, UDP, QUIC, an ACK that rides along,
flow id, RTP. Source: measured."""

QUALITY_MAX_QUEUE_MS: Final = 60_000.0
"""Longest queue that is told. Source: ours; a machine that slept makes longer ones."""

PCMU_CONCEAL_FRAMES: Final = 3
"""Frames until concealed G.711 is silent. Source: ours, after G.711 appendix I."""

STATS_INTERVAL_S: Final = 1.0
"""Pause between statistics. Source: docs/usage.md."""

FALLBACK_CODEC: Final = "pcmu"
"""The codec that every wzp has, whatever is installed. Source: RFC 3551 section 6."""

OPUS_CONCEAL_FRAMES: Final = 25
"""Lost frames in a row after which there is silence: half a second. Source: ours."""

OPUS_FADE_FRAMES: Final = 20
"""How many of them fade. Source: ours; the first 100 ms keep their level."""

OPUS_RESUME_SAMPLES: Final = 240
"""Over which sound comes back after a fade, 5 ms. Source: ours; no click, no loss."""
