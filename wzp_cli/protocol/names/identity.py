"""Who somebody is: an Ed25519 public key, and how it is written.

    wzp1 + base32(key, 32 bytes | SHA-256(key), first 2 bytes), lower-case, no padding

The checksum catches a slip of the pen, no attacker: whoever shows the identity in a
handshake proves the private key. Keys that prove nothing are refused here.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from wzp_cli.errors import LocalProtocolError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KEY_BYTES", "Identity", "Keypair", "is_acceptable_key"]

KEY_BYTES: Final = 32
"""Length of an Ed25519 public key, and of a seed (RFC 8032 section 5.1.5)."""

_PREFIX = "wzp1"
_CHECKSUM_BYTES = 2
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_SHORT_CHARACTERS = 12

_FIELD_PRIME = 2**255 - 19
_SMALL_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset(
    {
        0,  # order 4
        1,  # the neutral element
        _FIELD_PRIME - 1,  # order 2
        _SMALL_ORDER_8_Y,
        _FIELD_PRIME - _SMALL_ORDER_8_Y,
    }
)


def is_acceptable_key(key: bytes) -> bool:
    """Return whether `key` may stand for somebody.

    Refused: another length than 32 bytes; a y coordinate that is not reduced (the same
    key written twice); the points of small order, with either sign of x, for which
    signatures can be made without a private key.
    """
    if len(key) != KEY_BYTES:
        return False
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    return y < _FIELD_PRIME and y not in _SMALL_ORDER_Y


def _checksum(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_CHECKSUM_BYTES]


def _format(key: bytes) -> str:
    body = base64.b32encode(key + _checksum(key)).decode("ascii")
    return _PREFIX + body.rstrip("=").lower()


_TEXT_CHARACTERS = len(_format(bytes(KEY_BYTES)))


def _check_shape(text: str) -> None:
    """Raise UsageError with the first thing that is wrong with `text`."""
    if not text.startswith(_PREFIX):
        raise UsageError(f'An identity starts with "{_PREFIX}".')
    if len(text) != _TEXT_CHARACTERS:
        error = UsageError(
            f"An identity has {_TEXT_CHARACTERS} characters; this one has {len(text)}."
        )
        if len(text) < _TEXT_CHARACTERS:
            error.add_note("Its first characters are for eyes: `wzp id show` has all.")
        raise error
    for position, character in enumerate(text[len(_PREFIX) :], len(_PREFIX) + 1):
        if character not in _ALPHABET:
            raise UsageError(
                f"Character {position} of the identity, {character!a}, is wrong:"
                " an identity has only a to z, in lower case, and 2 to 7."
            )


@dataclass(frozen=True, order=True, slots=True)
class Identity:
    """A public key. Ordered by its bytes, so that both sides agree who is smaller."""

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise LocalProtocolError(f"a key of {len(self.key)} bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an identity as `str()` writes it.

        Raises:
            UsageError: It is none; the sentence says what is wrong with it.
        """
        text = text.strip()
        _check_shape(text)
        body = text[len(_PREFIX) :].upper()
        key = base64.b32decode(body + "=" * (-len(body) % 8))[:KEY_BYTES]
        if _format(key) != text:
            raise UsageError(
                "The identity's checksum does not fit: some character is mistyped."
            )
        if not is_acceptable_key(key):
            raise UsageError("The identity is no key that anybody can hold.")
        return cls(key)

    @property
    def short(self) -> str:
        """The first 12 characters after the prefix; for eyes only, never to compare."""
        return str(self)[len(_PREFIX) :][:_SHORT_CHARACTERS]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether `signature` (64 bytes) of `message` was made with this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if not is_acceptable_key(self.key):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return _format(self.key)


class Keypair:
    """An identity together with its private key. Its repr shows the identity only."""

    def __init__(self, private_key: "Ed25519PrivateKey") -> None:
        self.private_key: Final = private_key

    @classmethod
    def generate(cls) -> Self:
        """Return a new pair, from the system's random numbers."""
        from cryptography.hazmat.primitives.asymmetric import ed25519

        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the pair of a seed (32 bytes, RFC 8032's private key)."""
        from cryptography.hazmat.primitives.asymmetric import ed25519

        if len(seed) != KEY_BYTES:
            raise LocalProtocolError(f"a seed of {len(seed)} bytes")
        return cls(ed25519.Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes that everything follows from."""
        return self.private_key.private_bytes_raw()

    @cached_property
    def identity(self) -> Identity:
        """The public half."""
        return Identity(self.private_key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes) of `message`.

        The key also proves TLS handshakes: start `message` with a purpose of its own.
        """
        return self.private_key.sign(message)

    def __repr__(self) -> str:
        return f"Keypair({self.identity})"
