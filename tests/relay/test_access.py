import pytest

from wzp_cli.relay.access import AccessRules, token_digest

ALICE, BOB = b"a" * 32, b"b" * 32
SESAME = token_digest("sesame")


def rules(
    tokens: list[bytes] | None = None,
    allowed: list[bytes] | None = None,
    blocked: list[bytes] | None = None,
) -> AccessRules:
    return AccessRules(
        None if tokens is None else frozenset(tokens),
        None if allowed is None else frozenset(allowed),
        frozenset(blocked or ()),
    )


@pytest.mark.parametrize(
    ("access", "alice", "alice_with_token"),
    [
        (rules(), True, True),
        (rules(blocked=[BOB]), True, True),
        (rules(blocked=[ALICE]), False, False),
        (rules(tokens=[SESAME]), False, True),
        (rules(tokens=[]), False, False),
        (rules(allowed=[ALICE]), True, True),
        (rules(allowed=[BOB]), False, False),
        (rules(allowed=[]), False, False),
        (rules(tokens=[SESAME], allowed=[BOB]), False, True),
        (rules(tokens=[SESAME], allowed=[ALICE]), True, True),
        (rules(tokens=[SESAME], allowed=[ALICE], blocked=[ALICE]), False, False),
    ],
)
def test_who_is_admitted(
    access: AccessRules, alice: bool, alice_with_token: bool
) -> None:
    assert access.admit(ALICE) is alice
    assert access.admit(ALICE, SESAME) is alice_with_token


def test_a_token_is_kept_as_its_digest() -> None:
    assert len(SESAME) == 32
    assert SESAME == token_digest("sesame") != token_digest("sesame ")
    assert b"sesame" not in SESAME
    token_digest("\udcff")  # a client may say what it likes


def test_no_token_shown_is_no_token() -> None:
    assert not rules(tokens=[token_digest("")]).admit(ALICE)


def test_whom_the_fleet_vouches_for_needs_nothing_else() -> None:
    closed = rules(tokens=[SESAME], allowed=[])
    assert closed.admit(ALICE, vouched=True)
    assert not rules(blocked=[ALICE]).admit(ALICE, vouched=True)
