"""What is true of each kind of NAT, in the words of `wzp detect-nat --json`.

A field that a kind does not define is not there: what can't be seen from inside
(hairpinning where the mapping depends on the destination, whether unsolicited packets
spoil such a mapping), or what belongs to the host and not to the NAT.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["TRUTHS", "UNKNOWABLE_BY_ONE_STUN_SERVER", "wrong", "wrong_or_unknown"]

Truth = dict[str, Any]

_EI: Final = "endpoint-independent"
_AD: Final = "address-dependent"
_APD: Final = "address-and-port-dependent"

_ANY: Final[Truth] = {"udp_blocked": False, "path_mtu_bytes": 1500, "ipv6": False}
_HOME: Final[Truth] = _ANY | {"nat_layers": 1, "carrier_nat": False, "port_delta": None}
_EASY: Final[Truth] = _HOME | {
    "mapping": _EI,
    "filtering": _APD,
    "port_preserving": True,
    "allocation": "preserving",
    "hairpinning": False,
    "accepts_unsolicited_input": False,
    "verdict": "likely",
}
_HARD: Final[Truth] = _HOME | {
    "mapping": _APD,
    "filtering": _APD,
    "port_preserving": False,
    "allocation": "random",
    "verdict": "limited",
}

TRUTHS: Final[Mapping[str, Truth]] = {
    "open": _ANY
    | {
        "mapping": "none",
        "filtering": "none",
        "port_preserving": True,
        "allocation": "preserving",
        "nat_layers": 0,
        "carrier_nat": False,
        "accepts_unsolicited_input": False,
        "verdict": "likely",
    },
    "masquerade-drop": _EASY,
    "masquerade-accept": _EASY | {"accepts_unsolicited_input": True},
    "fully-random": _HARD,
    "full-cone": _EASY | {"filtering": _EI},
    "carrier": _EASY | {"nat_layers": 2, "carrier_nat": True},
    "udp-blocked": {
        "mapping": "unknown",
        "filtering": "unknown",
        "allocation": "unknown",
        "port_preserving": None,
        "reflexive": None,
        "path_mtu_bytes": None,
        "ipv6": False,
        "udp_blocked": True,
        "verdict": "blocked",
    },
    "full-cone-user": _EASY | {"filtering": _EI},
    "address-restricted": _EASY | {"filtering": _AD},
    "port-restricted": _EASY,
    "port-restricted-random-port": _EASY
    | {"port_preserving": False, "allocation": "random"},
    "port-restricted-accepting": _EASY | {"accepts_unsolicited_input": True},
    "port-restricted-hairpin": _EASY | {"hairpinning": True},
    "port-restricted-short": _EASY,
    "symmetric-sequential": _HARD | {"allocation": "sequential", "port_delta": 1},
    "symmetric-random": _HARD,
}
"""By the name of the kind; `test_truths.py` holds that there is one for each."""

UNKNOWABLE_BY_ONE_STUN_SERVER: Final = frozenset(
    {"filtering", "accepts_unsolicited_input", "mapping", "hairpinning"}
)
"""What one server with one address can't show, unless there is no NAT at all."""


def wrong_or_unknown(found: Truth, truth: Truth) -> Truth:
    """Return the fields that are not as they should be, as they were found."""
    return {key: found[key] for key, value in truth.items() if found[key] != value}


def wrong(found: Truth, truth: Truth) -> Truth:
    """Return the fields that are false: neither right nor left open."""
    differing = wrong_or_unknown(found, truth)
    return {
        key: value
        for key, value in differing.items()
        if value not in (None, "unknown", [])
    }
