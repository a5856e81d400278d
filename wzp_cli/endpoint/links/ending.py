"""How a link ended: aioquic's codes and words, as wzp says them."""

from wzp_cli.errors import ConnectionLost, IdentityError, VersionMismatch
from wzp_cli.protocol.names.text import clean

__all__ = ["REASON_MAX_CHARACTERS", "failure", "in_words"]

REASON_MAX_CHARACTERS = 200
"""At most 800 bytes: a longer CONNECTION_CLOSE would not fit into a packet."""

_WORDS = {"Idle timeout": "it fell silent"}
_TLS_ALERT = 0x100
_ALERT_BAD_CERTIFICATE = _TLS_ALERT + 42
_ALERTS_NO_COMMON_VERSION = (_TLS_ALERT + 120, _TLS_ALERT + 40, _TLS_ALERT + 70)


def in_words(reason: str) -> str:
    """Return a reason that can be shown, whoever gave it."""
    return clean(_WORDS.get(reason, reason), REASON_MAX_CHARACTERS) or "closed"


def failure(
    code: int, reason: str, *, knows_peer: bool
) -> ConnectionLost | IdentityError | VersionMismatch:
    """Return an end as an error; `knows_peer`: the peer's key was accepted."""
    if code == _ALERT_BAD_CERTIFICATE:
        return IdentityError(f"{reason} ({'our' if knows_peer else 'its'} key)")
    if code in _ALERTS_NO_COMMON_VERSION:
        return VersionMismatch(reason)
    return ConnectionLost(reason)
