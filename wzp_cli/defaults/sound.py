"""Sound at its ends: devices, files, pipes, tones, recordings."""

from typing import Final

from wzp_cli.defaults.media import MEDIA_CLOCK_HZ

__all__ = [
    "AUTO_GAIN_MAX_DB",
    "BABBLE_PEAK_INT16",
    "GAIN_MAX_DB",
    "GAIN_MIN_DB",
    "LIKENESS_PIECE_SAMPLES",
    "LIKENESS_QUIET_RATIO",
    "LIKENESS_REACH_SAMPLES",
    "LOOPBACK_FRAMES",
    "NOISE_SUPPRESSION_LEVEL",
    "PACE_CATCH_UP_MAX_S",
    "PIPE_BUFFER_BYTES",
    "PIPE_FLUSH_MAX_S",
    "PIPE_QUEUE_FRAMES",
    "RECORDING_CLOSE_MAX_S",
    "RECORDING_FREE_MIN_BYTES",
    "RECORDING_NAMES_MAX",
    "RECORDING_PIECE_S",
    "RECORDING_QUEUE_PIECES",
    "RECORDING_TOLERANCE_S",
    "RECORDING_WAIT_S",
    "RING_AMPLITUDE_INT16",
    "RING_BACK_CADENCE_S",
    "RING_BACK_HZ",
    "RING_CADENCE_S",
    "RING_HZ",
    "SOUND_BLOCK_SAMPLES",
    "SOUND_CHECK_LEVEL_FRAMES",
    "SOUND_CHECK_S",
    "SOUND_MIC_QUEUE_BLOCKS",
    "SOUND_RESCAN_S",
    "SOUND_SPEAKER_LOW_BLOCKS",
    "SOUND_SPEAKER_QUEUE_BLOCKS",
    "SOUND_STALL_MAX_S",
    "SOUND_SWITCH_INTERVAL_S",
    "TONE_AMPLITUDE_INT16",
    "TONE_DEFAULT_HZ",
    "TONE_EDGE_S",
    "TONE_MAX_HZ",
    "TONE_MIN_HZ",
    "WAV_HEADER_EVERY_FRAMES",
    "WAV_RATE_MAX_HZ",
    "WAV_RATE_MIN_HZ",
]

# --- Chosen by us ----------------------------------------------------------------

PACE_CATCH_UP_MAX_S: Final = 0.2
"""How far a paced source may lag before beats are dropped. Source: ours."""

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

BABBLE_PEAK_INT16: Final = 9_000
"""Peak of made-up speech, -11 dB of full scale. Source: ours; as loud as a voice."""

LIKENESS_PIECE_SAMPLES: Final = 9_600
"""Length of the pieces that are compared, 200 ms. Source: ours; one syllable."""

LIKENESS_REACH_SAMPLES: Final = MEDIA_CLOCK_HZ
"""How far from its place a piece is looked for, 1 s. Source: ours."""

LIKENESS_QUIET_RATIO: Final = 0.01
"""Energy against the loudest piece that counts as a pause. Source: ours; -20 dB."""
