"""What the relays of a fleet ask each other, and the ticket that a callee carries.

    A relay that is asked for somebody asks all: SUBJECT of the target  -> Wanted
    each relay that has links of the target's answers                   -> Found
    and tells each of them to come, with a ticket of its own

A ticket is "CALL.DEVICE.MAC": the asking relay's name for the call, the device's at its
relay, and an HMAC-SHA256 over the device under a secret of that call. So the asking
relay can judge whoever comes before it has heard from the other relay.
"""

import hashlib
import hmac
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.names.identity import Identity

__all__ = ["Found", "Ticket", "Wanted", "decode_found", "decode_wanted", "subject"]

_MAC_BYTES = 16
_SECRET_BYTES = 32

M = TypeVar("M", bound=msgspec.Struct)
Name = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
Secret = Annotated[
    str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=2 * _SECRET_BYTES)
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`caller`, as the asking relay verified it, calls whom the subject names.

    `addresses`: where the asking relay is to be met.
    """

    call: Name
    secret: Secret
    caller: Annotated[str, msgspec.Meta(max_length=64)]
    addresses: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=64)], ...],
        msgspec.Meta(min_length=1, max_length=4),
    ]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """These devices were told to come; none: nobody who may be called."""

    devices: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()


class Ticket(NamedTuple):
    """What a device shows when it joins a call at another relay."""

    call: str
    device: str
    mac: str

    @classmethod
    def issue(cls, call: str, device: str, secret: str) -> "Ticket":
        """Return the ticket for one device."""
        return cls(call, device, _mac(device, secret))

    @classmethod
    def parse(cls, text: str) -> "Ticket | None":
        """Read what somebody shows; None: it is no ticket."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == len(cls._fields) else None

    def is_genuine(self, secret: str) -> bool:
        """Return whether it was issued with the secret of its call."""
        mine = _mac(self.device, secret)
        return hmac.compare_digest(self.mac.encode(), mine.encode())

    def __str__(self) -> str:
        return ".".join(self)


def _mac(device: str, secret: str) -> str:
    digest = hmac.digest(bytes.fromhex(secret), device.encode(), hashlib.sha256)
    return digest[:_MAC_BYTES].hex()


def subject(fleet: Identity, target: Identity) -> str:
    """Return where the relays of a fleet (its key) are asked for somebody.

    Both are canonical text: no dots, no wildcards, one spelling.
    """
    return f"wzp.1.{fleet}.{target}"


def decode_wanted(data: bytes) -> Wanted:
    """Read a question. Raises RemoteProtocolError."""
    return _decode(data, Wanted)


def decode_found(data: bytes) -> Found:
    """Read an answer. Raises RemoteProtocolError."""
    return _decode(data, Found)


def _decode(data: bytes, kind: type[M]) -> M:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError("a relay of the fleet says nonsense") from error
