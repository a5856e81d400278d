"""Every number that shapes behaviour: unit in the name, source under it.

Two kinds, never mixed: what a specification asks for, and what we chose.
"""

from typing import Final

__all__ = [
    "MEDIA_CLOCK_HZ",
    "MEDIA_FRAME_BYTES",
    "MEDIA_FRAME_MS",
    "MEDIA_FRAME_SAMPLES",
    "RELAY_DEFAULT_PORT",
    "STUN_DEFAULT_PORT",
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

STUN_DEFAULT_PORT: Final = 3478
"""Port of a STUN server without SRV record. Source: RFC 8489 section 18.4."""

# --- Chosen by us ---------------------------------------------------------------

RELAY_DEFAULT_PORT: Final = 4433
"""UDP port of a relay. Source: ours (docs/protocol.md); QUIC test servers use it."""
