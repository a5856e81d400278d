"""Codes and words of an end."""

import pytest

from wzp_cli.endpoint.links.ending import REASON_MAX_CHARACTERS, failure, in_words
from wzp_cli.errors import ConnectionLost, IdentityError, VersionMismatch


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, ConnectionLost),
        (0x100 + 42, IdentityError),
        (0x100 + 40, VersionMismatch),
        (0x100 + 70, VersionMismatch),
        (0x100 + 120, VersionMismatch),
        (0x100 + 41, ConnectionLost),
    ],
)
def test_a_code_says_what_kind_of_end_it_was(code: int, kind: type[Exception]) -> None:
    error = failure(code, "so it was", knows_peer=False)
    assert type(error) is kind
    assert "so it was" in str(error)


@pytest.mark.parametrize(("knows_peer", "whose"), [(True, "our"), (False, "its")])
def test_whose_key_was_refused(knows_peer: bool, whose: str) -> None:
    assert str(failure(0x100 + 42, "no", knows_peer=knows_peer)) == f"no ({whose} key)"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Idle timeout", "it fell silent"),
        ("", "closed"),
        ("\x1b[2J\n", "[2J"),
        ("x" * 300, "x" * REASON_MAX_CHARACTERS),
    ],
)
def test_whatever_reason_is_given_can_be_shown(said: str, shown: str) -> None:
    assert in_words(said) == shown
