"""What the screen knows, as events tell it."""

import pytest

from tests.cli.view.stories import (
    ALICE,
    BOB,
    LISTENING,
    REACHED,
    RELAY,
    RINGS,
    TALKING,
    listener,
    stats,
    told,
)
from wzp_cli import events
from wzp_cli.cli.view.model import Call, Model, Who, idle, levels, minutes, turned_to

OVER = [
    events.Hangup(reason="hung up", by="peer"),
    events.Judged(quality="good", limited_by=None, sentence="Sound was good."),
]


def call_of(model: Model) -> Call:
    assert model.call is not None
    return model.call


def test_a_listener_shows_where_it_listens() -> None:
    model = told(listener(), LISTENING)
    assert model.phase == "listening"
    assert (model.relay, model.relay_up, model.port) == (RELAY, True, 41822)
    assert model.reflexive == "203.0.113.7:41822"
    assert model.ticket.startswith("wzp:wzp1bob?")
    assert model.call is None


def test_a_lost_relay_is_shown_until_it_is_back() -> None:
    lost = events.Warned(code="relay_lost", message="the relay is gone")
    model = told(listener(), [*LISTENING, lost])
    assert not model.relay_up
    assert told(model, LISTENING[3:4]).relay_up


def test_a_call_of_ours_from_the_first_word_to_the_last() -> None:
    model = told(listener("call", "bob"), REACHED[:4])
    assert (model.phase, call_of(model).who) == ("calling", None)
    model = told(model, REACHED[4:5], 10)
    assert call_of(model).rings
    assert call_of(model).who == Who("alice")
    model = told(model, REACHED[5:], 20)
    assert (model.phase, call_of(model).via) == ("talking", "relay")
    assert call_of(model).lasted_s(25) == 5
    model = told(model, OVER, 80)
    assert model.phase == "over"
    assert call_of(model).lasted_s(1000) == 60
    assert call_of(model).end == "The call is over: the peer hung up."
    assert call_of(model).verdict == "Sound was good."


def test_a_call_comes_in_is_answered_and_stands_in_the_list_afterwards() -> None:
    model = told(listener(), [*LISTENING, RINGS])
    assert model.phase == "incoming"
    assert call_of(model).called == "Al [b]x[/b]"
    model = told(model, TALKING[6:], 100)
    assert model.phase == "talking"
    model = told(model, OVER, 142)
    assert model.phase == "listening"
    assert [past.line for past in model.past] == [
        "alice: 00:42 through the relay. Sound was good."
    ]
    assert model.past[0].clock == "Tue 12:04"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("busy", "you were in another call"),
        ("timeout", "nobody answered"),
        ("withdrawn", "gave up"),
    ],
)
def test_missed_calls_are_remembered(reason: str, words: str) -> None:
    missed = events.Missed(peer=ALICE, name="Al", reason=reason)  # type: ignore[arg-type]
    (past,) = told(listener(), [*LISTENING, missed]).past
    assert past.missed
    assert past.line == f'alice (calls themselves "Al"): {words}'
    known = events.Missed(peer=BOB, name="Not Bob", reason="busy")
    (past,) = told(listener(), [known]).past
    assert past.line == "Bob: you were in another call"


def test_a_call_that_we_declined_is_not_missed() -> None:
    declined = events.Hangup(reason="declined", by="local")
    model = told(listener(), [*LISTENING, RINGS, declined])
    assert model.phase == "listening"
    assert [(past.line, past.missed) for past in model.past] == [
        ("alice: declined", False)
    ]


def test_a_missed_call_does_not_disturb_the_one_under_way() -> None:
    busy = events.Missed(peer=BOB, reason="busy")
    model = told(listener(), [*TALKING, busy])
    assert model.phase == "talking"
    assert call_of(model).who == Who("alice")
    assert len(model.past) == 1


def test_the_path_and_why() -> None:
    model = told(listener(), TALKING)
    assert "a direct path is being looked for" in call_of(model).why
    planned = events.PathPlanned(
        strategy="search", mapping="a", peer_mapping="b", elapsed_ms=1
    )
    assert "up to 12 s" in call_of(told(model, [planned])).why
    hopeless = events.PathSearched(
        strategy="search",
        side="opens",
        packets=9,
        found=False,
        elapsed_ms=1,
        reason="both NATs draw ports at random",
    )
    model = told(model, [planned, hopeless])
    assert call_of(model).why == (
        "no direct path can be found: both NATs draw ports at random"
    )
    changed = events.PathChanged(
        path="direct", remote="198.51.100.4:1", reason="a better route was found"
    )
    model = told(model, [changed, hopeless])
    assert (call_of(model).via, call_of(model).why) == (
        "direct",
        "a better route was found",
    )
    assert [line.partition("  ")[0] for line in call_of(model).trail] == ["12:04"] * 5


def test_each_second_of_a_call() -> None:
    model = told(listener(), [*TALKING, *[stats(loss_pct=n) for n in range(200)]])
    call = call_of(model)
    assert len(call.seconds) == 120
    assert call.seconds[-1].loss_pct == 199
    assert call.seconds[-1].delay_ms == pytest.approx(20 + 30 + 20, abs=10)
    assert (call.mos, call.peer_mos) == (4.2, 3.0)


def test_switches_are_shown_as_they_are() -> None:
    model = told(
        listener(),
        [
            *TALKING,
            events.Muted(muted=True, push_to_talk=True),
            events.Held(held=True, by="local"),
            events.Held(held=True, by="peer"),
            events.Held(held=False, by="local"),
        ],
    )
    call = call_of(model)
    assert (call.muted, call.push_to_talk) == (True, True)
    assert (call.held, call.held_by_peer) == (False, True)


def test_another_call_begins_with_nothing_of_the_one_before() -> None:
    muted = events.Muted(muted=True)
    model = levels(told(listener(), [*TALKING, muted]), -20.0, -30.0)
    model = told(model, [*OVER, RINGS, events.Answered(peer=ALICE)])
    assert (call_of(model).muted, model.said_dbfs) == (False, None)
    assert call_of(model).seconds == ()


def test_pages_open_and_close_and_a_call_that_rings_is_seen() -> None:
    model = turned_to(told(listener(), LISTENING), "help")
    assert model.page == "help"
    assert turned_to(model, "path").page == "path"
    assert turned_to(model, "help").page == "call"
    assert turned_to(model, "call").page == "call"
    assert told(model, [RINGS]).page == "call"


def test_warnings_are_kept_once_for_the_end() -> None:
    warned = events.Warned(code="codec", message="no libopus")
    model = told(listener(), [*LISTENING, warned, *TALKING[5:], warned])
    assert model.warnings == ("Warning: no libopus.",)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "00:00"), (59.9, "00:59"), (61, "01:01"), (3723, "1:02:03"), (-1, "00:00")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert minutes(seconds) == words


def test_who_somebody_is_in_words() -> None:
    assert Who("abc").standing == "not one of your contacts"
    assert Who("abc", "Al").standing == "contact"
    assert Who("abc", "Al", verified=True).standing == "contact, verified"
    assert Who("abc", "Al", verified=False).standing == "contact, not verified"
    assert (Who("abc").title, Who("abc", "Al").title) == ("abc", "Al")


def test_a_listener_that_is_asked_to_call_shows_that_call() -> None:
    model = told(listener(), [*LISTENING, events.Calling(peer=ALICE)])
    assert (model.phase, call_of(model).who) == ("calling", Who("alice"))
    model = told(model, [events.Answered(peer=ALICE), *OVER])
    assert (model.phase, len(model.past)) == ("listening", 1)
    model = told(model, [events.Calling(peer="192.0.2.7:41822")])
    assert (call_of(model).who, model.target) == (None, "192.0.2.7:41822")
    assert (idle(model).phase, idle(model).call) == ("listening", None)
    talking = told(listener(), TALKING)
    assert idle(talking) == talking
