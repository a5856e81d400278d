"""Keys as words: to be read aloud, or to be kept on paper.

    verification    12 words    128 bits of SHA-256("wzp words 1\0" | public key)
    backup          24 words    the private key's seed, 256 bits

Both in the English list of BIP 39 with its checksum (4 and 8 bits), from the package
`mnemonic`: 2048 words, told apart by their first four letters. Only the 24 are secret.
"""

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Final

from wzp_cli.errors import UsageError
from wzp_cli.protocol.names.identity import Identity, Keypair

if TYPE_CHECKING:
    from mnemonic import Mnemonic

__all__ = ["BACKUP_WORDS", "backup_words", "restored", "verification_words"]

BACKUP_WORDS: Final = 24
"""Words of a backup: 256 bits and 8 of checksum, 11 bits a word."""

_DOMAIN: Final = b"wzp words 1\0"
_VERIFICATION_BYTES: Final = 16


def verification_words(identity: Identity) -> list[str]:
    """Return the 12 words that stand for a public key; two keys never share them."""
    digest = hashlib.sha256(_DOMAIN + identity.key).digest()
    return _book().to_mnemonic(digest[:_VERIFICATION_BYTES]).split()


def backup_words(keypair: Keypair) -> list[str]:
    """Return the 24 words that hold the private key: whoever has them is its owner."""
    return _book().to_mnemonic(keypair.seed).split()


def restored(text: str) -> Keypair:
    """Return the key of a backup, in whatever case, lines and numbering.

    Raises:
        UsageError: It is none. The sentence names a place, never a word.
    """
    words = [word for word in text.lower().split() if not word.strip(".").isdigit()]
    if len(words) != BACKUP_WORDS:
        raise UsageError(
            f"A backup has {BACKUP_WORDS} words; here are {len(words)}."
            " Give the words alone, in their order."
        )
    book = _book()
    known = set(book.wordlist)
    for place, word in enumerate(words, 1):
        if word not in known:
            raise UsageError(
                f"Word {place} of the backup is none of its list: correct it."
            )
    try:
        return Keypair.from_seed(bytes(book.to_entropy(words)))
    except ValueError:
        raise UsageError(
            "The words' checksum does not fit: one is wrong, or two are exchanged."
        ) from None


@cache
def _book() -> "Mnemonic":
    from mnemonic import Mnemonic

    return Mnemonic("english")
