import pytest

from wzp_cli.adapters.identity_words import (
    BACKUP_WORDS,
    backup_words,
    restored,
    verification_words,
)
from wzp_cli.errors import UsageError
from wzp_cli.protocol.names.identity import Keypair

ALICE = Keypair.from_seed(b"\1" * 32)


def test_the_backup_of_nothing_is_the_vector_of_bip_39() -> None:
    assert backup_words(Keypair.from_seed(bytes(32))) == ["abandon"] * 23 + ["art"]


def test_a_backup_comes_back_however_it_is_written_down() -> None:
    words = backup_words(ALICE)
    assert len(words) == BACKUP_WORDS
    for text in (
        " ".join(words),
        "\n".join(words).upper(),
        "\n".join(f"{number:>2}. {word}" for number, word in enumerate(words, 1)),
    ):
        assert restored(text).seed == ALICE.seed


def test_a_slip_is_told_by_its_place_and_never_by_the_word() -> None:
    words = backup_words(ALICE)
    for wrong, said in (
        (words[:23], "24 words; here are 23"),
        ([*words[:4], "qwertz", *words[5:]], "Word 5 of the backup"),
        ([words[1], words[0], *words[2:]], "checksum does not fit"),
        (["zoo"] * 24, "checksum does not fit"),
    ):
        with pytest.raises(UsageError) as caught:
            restored(" ".join(wrong))
        assert said in str(caught.value)
        for word in {"qwertz", *words}:
            assert word not in str(caught.value).lower().split()
        assert caught.value.__cause__ is None


def test_words_to_read_aloud_hold_128_bits_of_the_key() -> None:
    words = verification_words(ALICE.identity)
    assert words == [
        "walk",
        "furnace",
        "access",
        "manual",
        "sport",
        "one",
        "ocean",
        "elbow",
        "rifle",
        "math",
        "float",
        "pulp",
    ]
    assert len(words) == 12
    bits = 11 * len(words)
    assert bits - bits // 33 == 128, "the rest is BIP 39's checksum"
    others = [Keypair.generate().identity for _ in range(50)]
    assert len({tuple(verification_words(each)) for each in others}) == 50


def test_they_tell_nothing_of_the_backup() -> None:
    assert verification_words(ALICE.identity) != backup_words(ALICE)[:12]
