"""The machine of one route, walked whole."""

import pytest

from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    ROUTE_FORGIVEN_S,
    ROUTE_TRUST_MAX_S,
    ROUTE_TRUST_S,
)
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.protocol.traversal.trial import TRANSITIONS, Input, State, Trial

FAR = DirectRoute(Address("20.1.0.2", 5000))

WALK = {
    #               OPENED      ANSWERED   TRUSTED   SILENT   GIVEN_UP RETRY REOPEN
    State.OPENING: ("CHECKING", "PROVING", None, None, None, None, None),
    State.CHECKING: (None, "PROVING", None, None, "FAILED", None, None),
    State.PROVING: (None, "PROVING", "VALID", "DOUBTED", None, None, None),
    State.VALID: (None, "VALID", None, "DOUBTED", None, None, None),
    State.DOUBTED: (None, "PROVING", None, None, "FAILED", None, None),
    State.FAILED: (None, "PROVING", None, None, None, "CHECKING", "OPENING"),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happened", Input)
def test_every_state_with_every_input(state: State, happened: Input) -> None:
    trial = Trial(FAR, "srflx", state, since=1.0, due=9.0)
    expected = WALK[state][list(Input).index(happened)]
    if expected is None:
        with pytest.raises(LocalProtocolError, match=state.name):
            trial.move(happened, 5.0)
        assert (trial.state, trial.since, trial.due) == (state, 1.0, 9.0)
        return
    trial.move(happened, 5.0)
    assert trial.state.name == expected
    stays = trial.state is state
    assert (trial.since, trial.due) == ((1.0, 9.0) if stays else (5.0, 5.0))


def test_every_state_is_left_by_an_answer_and_none_is_a_trap() -> None:
    assert set(TRANSITIONS) == set(State)
    for moves in TRANSITIONS.values():
        trial = Trial(FAR, "host", moves[Input.ANSWERED], since=1.0, due=9.0)
        assert trial.works
        assert set(moves.values()) <= set(State)


def test_each_doubt_makes_trust_three_times_as_long_until_it_is_forgiven() -> None:
    trial = Trial(FAR, "host", State.VALID, since=1.0, due=9.0)
    assert trial.trust_s == 0
    now, trusts = 5.0, []
    for _ in range(5):
        trial.doubt(now)
        trial.move(Input.ANSWERED, now)
        trusts.append(trial.trust_s)
    assert trusts == [
        ROUTE_TRUST_S,
        3 * ROUTE_TRUST_S,
        *3 * [ROUTE_TRUST_MAX_S],
    ]
    trial.move(Input.TRUSTED, now)
    trial.doubt(now + ROUTE_FORGIVEN_S)
    assert trial.trust_s == ROUTE_TRUST_S
