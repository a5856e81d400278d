"""The machine of one route, walked whole."""

import pytest

from wzp_cli.address import Address
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.protocol.traversal.trial import TRANSITIONS, Input, State, Trial

FAR = DirectRoute(Address("20.1.0.2", 5000))

WALK = {
    #                 OPENED     ANSWERED SILENT     GIVEN_UP  RETRY
    State.OPENING: ("CHECKING", "VALID", None, None, None),
    State.CHECKING: (None, "VALID", None, "FAILED", None),
    State.VALID: (None, "VALID", "DOUBTED", None, None),
    State.DOUBTED: (None, "VALID", None, "FAILED", None),
    State.FAILED: (None, "VALID", None, None, "CHECKING"),
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
        assert moves[Input.ANSWERED] is State.VALID
        assert set(moves.values()) <= set(State)
