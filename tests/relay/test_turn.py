from wzp_cli.defaults.relay import TURN_GRANT_S
from wzp_cli.protocol.turn import issue_grant
from wzp_cli.relay.turn import TurnService

NOW_S = 1_700_000_000.0


def test_each_grant_has_a_name_of_its_own_and_ten_minutes() -> None:
    service = TurnService("turn.example:3479", "north", lambda: NOW_S)
    grants = [service.grant() for _ in range(100)]
    assert len({grant.username for grant in grants}) == 100
    until, _, name = grants[0].username.partition(":")
    assert int(until) == NOW_S + TURN_GRANT_S
    assert grants[0] == issue_grant("turn.example:3479", "north", name, int(until))


def test_the_secret_is_in_no_log() -> None:
    assert "north" not in repr(TurnService("turn.example", "north", lambda: NOW_S))
