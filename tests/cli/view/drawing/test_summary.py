from tests.cli.view.stories import ALICE, LISTENING, REACHED, TALKING, listener, told
from tests.cli.view.test_model import OVER
from wzp_cli import events
from wzp_cli.cli.view.drawing.summary import summary


def test_a_call_leaves_who_how_long_and_how_it_was() -> None:
    direct = events.PathChanged(path="direct", remote="198.51.100.4:1", reason="better")
    model = told(listener("call"), [*REACHED, direct, *OVER])
    assert summary(model) == [
        "Call with alice (not one of your contacts): 00:03, directly with "
        "198.51.100.4:1.",
        "The call is over: the peer hung up.",
        "Sound was good.",
    ]


def test_a_call_that_was_not_answered_is_told_by_its_error_alone() -> None:
    assert summary(told(listener("call"), REACHED[:5])) == []
    assert summary(listener("call")) == []


def test_a_listener_leaves_its_calls_those_missed_and_its_warnings() -> None:
    missed = events.Missed(peer=ALICE, reason="timeout")
    warned = events.Warned(code="codec", message="no libopus")
    model = told(listener(), [*TALKING, *OVER, missed, warned])
    assert summary(model) == [
        "Tue 12:04  alice: 00:02 through the relay. Sound was good.",
        "Tue 12:04  Missed: alice: nobody answered",
        "Warning: no libopus.",
    ]
    assert summary(told(listener(), LISTENING)) == []
