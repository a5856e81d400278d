"""The local network: who is announced there, and how long it is looked for."""

from typing import Final

__all__ = [
    "LAN_ADDRESSES_LOOK_S",
    "LAN_LOOK_S",
    "LAN_MAX_ADDRESSES",
    "LAN_MAX_NEIGHBOURS",
    "LAN_NAME_BYTES",
    "LAN_RESOLVE_S",
]

# --- From a specification --------------------------------------------------------

LAN_NAME_BYTES: Final = 200
"""Longest name announced. Source: RFC 6763 section 6.1, a string of TXT has 255."""

# --- Chosen by us ----------------------------------------------------------------

LAN_LOOK_S: Final = 2.0
"""How long to look who is there. Source: ours; RFC 6762 section 5.2 asks again after
1 s, and answers come within 0.12 s (section 6)."""

LAN_RESOLVE_S: Final = 1.0
"""How long to ask one neighbour for its addresses. Source: ours; as above."""

LAN_MAX_NEIGHBOURS: Final = 64
"""How many announcements are looked at. Source: ours; whoever is on the network may
make as many as it likes."""

LAN_MAX_ADDRESSES: Final = 8
"""How many addresses of one are dialled. Source: ours; as MAX_CANDIDATES."""

LAN_ADDRESSES_LOOK_S: Final = 5.0
"""How often our own addresses are looked at, to announce new ones. Source: ours."""
