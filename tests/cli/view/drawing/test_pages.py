"""The facts that stand on each page."""

import re
from collections.abc import Sequence
from dataclasses import replace

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
from wzp_cli.cli.view.drawing.layout import Size, lines
from wzp_cli.cli.view.drawing.meters import UNICODE
from wzp_cli.cli.view.drawing.pages import page
from wzp_cli.cli.view.model import At, Model, Sounds, levels, turned_to

NOW = At(60.0, "12:05", "Tue")


def shown(model: Model) -> str:
    drawn = lines(model, Size(80, 24), NOW, UNICODE)
    return "\n".join(line.plain for line in drawn)


def row(model: Model, label: str) -> str:
    found = re.search(rf"^  {label} +(.*?) *$", shown(model), re.MULTILINE)
    assert found, shown(model)
    return found[1]


def talking(*more: events.Event) -> Model:
    return told(listener(), [*TALKING, *more])


def test_listening() -> None:
    model = told(listener(), LISTENING)
    assert row(model, "relay") == f"● registered at {RELAY}"
    assert row(model, "address") == "203.0.113.7:41822 from outside"
    assert row(model, "port") == "UDP 41822"
    assert row(model, "answers") == "you are asked"
    ticket = "wzp call 'wzp:wzp1bob?relay=127.0.0.1:4433&sig=x'"
    assert f"\n{ticket}" in shown(model), "from the left edge, to be copied"


def test_listening_without_a_relay() -> None:
    model = told(listener(), [LISTENING[1], LISTENING[4]])
    assert "callers dial this machine" in row(model, "relay")
    lost = events.Warned(code="relay_lost", message="gone")
    assert "is lost; trying again" in row(told(listener(), [*LISTENING, lost]), "relay")


def test_calls_before_are_listed_the_newest_first() -> None:
    missed: Sequence[events.Event] = [
        events.Missed(peer=BOB, reason="timeout"),
        events.Missed(peer="wzp1eve", reason="busy"),
    ]
    text = shown(told(listener(), [*LISTENING, *missed]))
    assert "Tue 12:04  missed Bob: nobody answered" in text
    assert text.index("eve") < text.index("Bob")


def test_an_incoming_call() -> None:
    text = shown(told(listener(), [*LISTENING, RINGS]))
    assert "Incoming call" in text
    assert re.search(r"^  alice +rings 00:55$", text, re.MULTILINE)
    assert "not one of your contacts" in text
    assert 'calls themselves "Al [b]x[/b]" (not verified)' in text
    assert "y answer     n decline" in text
    assert "NOT" not in text


def test_a_caller_who_may_be_taken_for_a_contact() -> None:
    rings = events.Incoming(call="1", peer=ALICE, name="Bob", namesake="Bob")
    text = shown(told(listener(), [*LISTENING, rings]))
    assert 'calls themselves "Bob" (not verified)' in text
    assert "NOT the key of your contact Bob" in text


def test_calling() -> None:
    text = shown(told(listener("call", "bob"), REACHED[:4]))
    assert re.search(r"^  Calling bob +00:60|^  Calling bob +01:00", text, re.MULTILINE)
    assert "Ringing at alice" in shown(told(listener("call", "bob"), REACHED[:5]))


def test_the_path_its_reason_and_its_round_trip() -> None:
    assert row(talking(), "path") == f"○ through {RELAY}"
    direct = events.PathChanged(
        path="direct",
        remote="198.51.100.4:9",
        reason="a better route was found",
        rtt_ms=12.0,
    )
    assert row(talking(direct), "path") == (
        "● directly with 198.51.100.4:9 · round trip 12 ms"
    )
    assert "a better route was found" in shown(talking(direct))


def test_levels_both_ways() -> None:
    model = levels(talking(), -30.0, None)
    assert row(model, "you").endswith("-30 dB")
    assert row(model, "you").count("━") == row(model, "you").count("─")
    assert row(model, "peer").endswith("silent")
    assert row(levels(model, -90.0, -59.0), "you").endswith("silent")
    assert row(levels(model, -90.0, -59.0), "peer").endswith("-59 dB")
    with_bob = [events.Incoming(call="1", peer=BOB), events.Answered(peer=BOB)]
    assert re.search("\n  Bob +─+ +silent\n", shown(told(listener(), with_bob)))


@pytest.mark.parametrize(
    ("mos", "word"), [(4.2, "good"), (3.7, "fair"), (3.0, "poor"), (1.2, "bad")]
)
def test_quality_in_a_word(mos: float, word: str) -> None:
    assert row(talking(stats(mos=mos)), "sound") == f"{word}   they hear us: poor"


def test_loss_and_delay_as_sparklines() -> None:
    assert row(talking(), "sound") == "nothing heard yet"
    model = talking(stats(), stats(loss_pct=12.5), stats(rtt_ms=400))
    assert re.fullmatch(r"▁.▁ +0\.0 %", row(model, "loss"))
    assert re.fullmatch(r"..▅? *.? *\d+ ms", row(model, "delay"))


@pytest.mark.parametrize(
    ("switched", "words"),
    [
        ([], "both sides are heard"),
        ([events.Muted(muted=True)], " MUTED  you are not heard"),
        (
            [events.Muted(muted=True, push_to_talk=True)],
            " PUSH TO TALK  hold space to be heard; m: open microphone",
        ),
        (
            [events.Muted(muted=False, push_to_talk=True)],
            "you are heard while you hold space",
        ),
        (
            [events.Held(held=True, by="local")],
            " ON HOLD BY YOU  nobody is heard until it is resumed",
        ),
        (
            [events.Held(held=True, by="peer"), events.Muted(muted=True)],
            " ON HOLD BY THE PEER  nobody is heard until it is resumed",
        ),
        (
            [events.Held(held=True, by="peer"), events.Held(held=True, by="local")],
            " ON HOLD BY BOTH  nobody is heard until it is resumed",
        ),
    ],
)
def test_the_state_in_words(switched: list[events.Event], words: str) -> None:
    assert row(talking(*switched), "state") == words.lstrip()


def test_a_recording_is_seen() -> None:
    assert row(talking(events.Recorded(path="x.wav")), "sound").endswith(
        "recorded: x.wav"
    )


def test_the_path_in_detail() -> None:
    tried = events.PathTried(
        address="198.51.100.4:9", answered=False, checks=7, elapsed_ms=5
    )
    text = shown(turned_to(talking(tried), "path"))
    assert f"by relay, {RELAY}" in text
    assert "12:04  Tried 198.51.100.4:9 7 times: in vain." in text
    assert "203.0.113.7:41822" in text
    assert "no call yet" in shown(turned_to(listener(), "path"))


def test_devices_and_help() -> None:
    sounds = Sounds("microphone: USB", "speaker", "echo cancellation")
    model = turned_to(Model("call", sounds=sounds), "devices")
    assert row(model, "in") == "microphone: USB"
    assert row(model, "cleaning") == "echo cancellation"
    text = shown(turned_to(talking(), "help"))
    for key in ("m ", "h ", "space ", "p ", "d ", "q ", "Ctrl-Z ", "Ctrl-C "):
        assert f"\n  {key}" in text
    assert "the call can't go on there" in text
    there = replace(talking(), is_elsewhere=True)
    text = shown(turned_to(there, "help"))
    assert "wzp listen goes on with the call: you are heard" in text


def test_blocks_of_a_page_know_what_matters() -> None:
    blocks = page(talking(), 76, NOW, UNICODE)
    needed = [line.plain for block in blocks if block.rank == 0 for line in block.lines]
    assert [text.split()[0] for text in needed] == ["alice", "path", "state"]
