import pytest

from wzp_cli.address import Address
from wzp_cli.defaults.relay import (
    RELAY_MAX_CHANNELS_PER_IDENTITY,
    RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN,
    RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN,
    RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN,
    RELAY_MAX_PROBES_PER_CLIENT_PER_MIN,
    RELAY_MAX_PROBES_PER_HOST_PER_MIN,
    RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN,
)
from wzp_cli.relay.limits import Limits, Refusal

ALICE, BOB = b"a" * 32, b"b" * 32


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_a_caller_has_a_budget() -> None:
    limits = Limits()
    for number in range(RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN):
        assert limits.admit_connect(ALICE, key(number), 0.0) is None
    assert limits.admit_connect(ALICE, BOB, 0.0) is Refusal.CALLER_LIMIT
    assert limits.admit_connect(BOB, ALICE, 0.0) is None
    one_more_s = 60 / RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN
    assert limits.admit_connect(ALICE, BOB, one_more_s) is None


def test_a_target_has_a_budget_that_one_caller_can_not_use_up() -> None:
    limits = Limits()
    while limits.admit_connect(ALICE, BOB, 0.0) is None:
        pass
    left = RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN - RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN
    for number in range(left):
        assert limits.admit_connect(key(number), BOB, 0.0) is None
    assert limits.admit_connect(key(left), BOB, 0.0) is Refusal.TARGET_LIMIT


def test_registrations_are_counted_by_network() -> None:
    limits = Limits()
    for port in range(RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN):
        assert limits.admit_registration(Address("192.0.2.1", 1 + port), 0.0)
    assert not limits.admit_registration(Address("192.0.2.1", 1), 0.0)
    assert limits.admit_registration(Address("192.0.2.2", 1), 0.0)
    assert limits.admit_registration(Address("192.0.2.1", 1), 1.0)


def test_channels_are_taken_all_or_none_and_given_back() -> None:
    limits = Limits()
    assert limits.take_channels(ALICE, RELAY_MAX_CHANNELS_PER_IDENTITY - 1)
    assert not limits.take_channels(ALICE, 2)
    assert limits.take_channels(ALICE, 1)
    assert limits.take_channels(BOB, 2)
    limits.release_channels(ALICE, 2)
    assert not limits.take_channels(ALICE, 3)
    assert limits.take_channels(ALICE, 2)
    limits.release_channels(BOB, 2)
    assert limits.take_channels(BOB, RELAY_MAX_CHANNELS_PER_IDENTITY)


@pytest.mark.parametrize("refusal", Refusal)
def test_a_stranger_can_not_tell_offline_from_refused(refusal: Refusal) -> None:
    about_the_target = {Refusal.OFFLINE, Refusal.TARGET_REFUSES, Refusal.TARGET_LIMIT}
    assert (refusal.told == "offline") == (refusal in about_the_target)
    assert refusal.told in {"offline", "limit", "access", "draining", "fleet"}


def test_probes_have_a_budget_by_client_and_by_host() -> None:
    limits, host = Limits(), Address("192.0.2.1", 1)
    for number in range(RELAY_MAX_PROBES_PER_CLIENT_PER_MIN):
        assert limits.admit_probe(ALICE, host._replace(port=1 + number), 0.0)
    assert not limits.admit_probe(ALICE, host, 0.0)
    left = RELAY_MAX_PROBES_PER_HOST_PER_MIN - RELAY_MAX_PROBES_PER_CLIENT_PER_MIN
    for number in range(left):
        assert limits.admit_probe(key(number), host, 0.0)
    assert not limits.admit_probe(BOB, host, 0.0), "whoever asks"
    assert limits.admit_probe(BOB, Address("192.0.2.2", 1), 0.0)
    assert limits.admit_probe(ALICE, host, 1.0)


def test_credentials_for_turn_are_counted_by_identity() -> None:
    limits = Limits()
    for _ in range(RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN):
        assert limits.admit_grant(ALICE, 0.0)
    assert not limits.admit_grant(ALICE, 0.0)
    assert limits.admit_grant(BOB, 0.0)
    assert limits.admit_grant(ALICE, 60 / RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN)
