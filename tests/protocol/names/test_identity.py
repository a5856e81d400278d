import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.errors import LocalProtocolError, UsageError
from wzp_cli.protocol.names.identity import (
    KEY_BYTES,
    Identity,
    Keypair,
    is_acceptable_key,
)

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int]
NEUTRAL: Point = (0, 1)

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)
"""RFC 8032 section 7.1, test 1."""

TEXT = "wzp125njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkencd7q"
"""PUBLIC, as the shell's sha256sum and base32 write it."""


def add(a: Point, b: Point) -> Point:
    """Add on the twisted Edwards curve (RFC 8032 section 5.1)."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times_eight(point: Point) -> Point:
    for _ in range(3):
        point = add(point, point)
    return point


def point_of(encoding: bytes) -> Point | None:
    """Decode leniently, as libraries do: y is reduced, x = 0 takes either sign."""
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    x = square_root((y * y - 1) * pow(D * y * y + 1, -1, P))
    if x is None:
        return None
    return (P - x if x % 2 != sign else x) % P, y


def encodings_of(y: int) -> list[bytes]:
    """All ways to write y: either sign, and unreduced where that fits 255 bits."""
    ys = [y] + ([y + P] if y + P < 2**255 else [])
    return [(n + (sign << 255)).to_bytes(32, "little") for n in ys for sign in (0, 1)]


def square_root(square: int) -> int | None:
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square % P:
        root = root * ROOT_OF_MINUS_ONE % P
    return root if root * root % P == square % P else None


def small_order_points() -> set[Point]:
    """Return the eight points of order 1, 2, 4 and 8: the multiples of one of them.

    The double of a point of order 8 has y = 0, so x^2 = -y^2, and the curve's equation
    becomes d y^4 + 2 y^2 - 1 = 0.
    """
    root = square_root(1 + D)
    assert root is not None
    squares = [(sign * root - 1) * pow(D, -1, P) % P for sign in (1, -1)]
    y = next(found for square in squares if (found := square_root(square)) is not None)
    x = square_root(-y * y)
    assert x is not None
    points, point = set(), NEUTRAL
    for _ in range(8):
        points.add(point)
        point = add(point, (x, y))
    return points


def test_every_encoding_of_a_point_of_small_order_is_refused() -> None:
    points = small_order_points()
    assert len(points) == 8
    assert {times_eight(point) for point in points} == {NEUTRAL}
    encodings = {text for _, y in points for text in encodings_of(y)}
    assert len(encodings) == 14
    for encoding in encodings:
        point = point_of(encoding)
        assert point is not None
        assert times_eight(point) == NEUTRAL
        assert not is_acceptable_key(encoding)


def test_only_those_are_refused_for_their_order() -> None:
    for _ in range(20):
        key = Keypair.generate().identity.key
        point = point_of(key)
        assert point is not None
        assert times_eight(point) != NEUTRAL
        assert is_acceptable_key(key)


@pytest.mark.parametrize("y", range(P, 2**255))
def test_a_key_that_is_not_reduced_is_refused(y: int) -> None:
    assert not is_acceptable_key(y.to_bytes(32, "little"))
    assert not is_acceptable_key((y + (1 << 255)).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 57, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    assert not is_acceptable_key(PUBLIC[:1] * length)
    with pytest.raises(LocalProtocolError):
        Identity(PUBLIC[:1] * length)


def test_an_identity_is_written_as_the_wire_page_says() -> None:
    assert str(Identity(PUBLIC)) == TEXT
    assert Identity(PUBLIC).short == TEXT[4:16]
    assert Identity.parse(TEXT) == Identity(PUBLIC)
    assert Identity.parse(f"  {TEXT}\n") == Identity(PUBLIC)


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).filter(is_acceptable_key))
def test_what_is_written_can_be_read(key: bytes) -> None:
    assert Identity.parse(str(Identity(key))).key == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'starts with "wzp1"'),
        ("wzp2" + TEXT[4:], 'starts with "wzp1"'),
        (TEXT[:-1], "59 characters; this one has 58"),
        (TEXT + "a", "this one has 60"),
        (TEXT[:10] + "0" + TEXT[11:], "Character 11 .*'0'"),
        (TEXT[:4] + TEXT[4:].upper(), "Character 7 .*'N'.* lower case"),
        (TEXT[:-1] + "\u0430", r"Character 59 .*'\\u0430'"),
        (TEXT[:20] + TEXT[21] + TEXT[20] + TEXT[22:], "checksum"),
        (str(Identity(bytes(32))), "no key that anybody can hold"),
    ],
)
def test_the_sentence_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Identity.parse(text)


@given(
    st.integers(4, len(TEXT) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")
)
def test_a_slip_in_one_character_is_found(position: int, character: str) -> None:
    slipped = TEXT[:position] + character + TEXT[position + 1 :]
    if slipped != TEXT:
        with pytest.raises(UsageError):
            Identity.parse(slipped)


@given(st.text())
def test_any_text_is_refused_with_our_error(text: str) -> None:
    with pytest.raises(UsageError):
        Identity.parse(text)


def test_the_smaller_identity_is_the_one_with_the_smaller_bytes() -> None:
    assert Identity(b"\1" * 32) < Identity(b"\2" + bytes(31)) < Identity(b"\xff" * 32)


def test_a_pair_follows_from_its_seed() -> None:
    pair = Keypair.from_seed(SEED)
    assert pair.identity == Identity(PUBLIC)
    assert pair.seed == SEED
    assert pair.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a")
    with pytest.raises(LocalProtocolError):
        Keypair.from_seed(SEED[:-1])


def test_a_signature_holds_for_its_key_and_message_only() -> None:
    pair, other = Keypair.generate(), Keypair.generate()
    signature = pair.sign(b"message")
    assert pair.identity.verifies(signature, b"message")
    assert not pair.identity.verifies(signature, b"massage")
    assert not pair.identity.verifies(b"", b"message")
    assert not other.identity.verifies(signature, b"message")


def test_a_signature_without_a_key_holds_for_openssl_but_not_for_us() -> None:
    neutral = (1).to_bytes(32, "little")
    forged = neutral + bytes(32)  # R = neutral, S = 0: fits any message
    ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(forged, b"anything")
    assert not Identity(neutral).verifies(forged, b"anything")


def test_a_pair_does_not_show_its_secret() -> None:
    pair = Keypair.generate()
    assert repr(pair) == f"Keypair({pair.identity})"


def test_importing_it_does_not_load_cryptography() -> None:
    program = (
        "import sys, wzp_cli.protocol.names.ticket, wzp_cli.adapters.disk.state;"
        "sys.exit('cryptography' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
