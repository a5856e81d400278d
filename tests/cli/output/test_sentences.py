from collections.abc import Callable

import pytest

from wzp_cli import events
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.sentences import PersonVoice, event_sentence
from wzp_cli.errors import PeerBusy

SAID = [
    (events.Answered(peer="bob", setup_ms=182.4), "bob answered after 182 ms."),
    (events.Answered(peer="bob"), "bob answered."),
    (events.Bound(port=4, addresses=["a:4", "b:4"]), "Using UDP port 4 on a:4, b:4."),
    (
        events.Failed(code="x", message="it broke", hint="Mend it.", exit=1),
        "wzp: it broke. Mend it.",
    ),
    (
        events.Hangup(reason="ended", by="peer"),
        "The call is over: the peer hung up (ended).",
    ),
    (
        events.Incoming(call="1", peer="wzp1x", name="[b]Eve[/b]"),
        'Incoming call from "[b]Eve[/b]" (not verified), wzp1x, through the relay.',
    ),
    (
        events.Incoming(call="1", peer="wzp1x", via="direct"),
        "Incoming call from wzp1x, directly.",
    ),
    (
        events.MediaStarted(first_audio_ms=209.0),
        "First sound 209 ms after the answer.",
    ),
    (
        events.PathChanged(path="direct", remote="r:1", reason="better", rtt_ms=41.0),
        "Now talking directly with r:1, round trip 41 ms: better.",
    ),
    (
        events.PathSelected(path="relay", remote="r:1"),
        "Talking through relay r:1.",
    ),
    (
        events.PathTried(address="r:1", answered=True, checks=2, elapsed_ms=31.0),
        "r:1 answered after 31 ms.",
    ),
    (
        events.PathTried(
            address="r:1", answered=False, checks=9, elapsed_ms=1.0, reason="timeout"
        ),
        "r:1 did not answer 9 checks: timeout.",
    ),
    (
        events.Ready(id="wzp1me", ticket="wzp:abc"),
        "Ready for calls. To be called: wzp call wzp:abc",
    ),
    (
        events.Reflexive(address="a:1", via="r:2"),
        "From outside, our address is a:1 (seen by r:2).",
    ),
    (
        events.Reflexive(address="a:1", via="r:2", changed=True),
        "From outside, our address changed to a:1 (seen by r:2).",
    ),
    (
        events.Registered(relay="r:2", relay_id="x", published=True),
        "Registered at relay r:2; others can call us through it.",
    ),
    (
        events.Registered(relay="r:2", relay_id="x", published=False),
        "Registered at relay r:2; only calling out.",
    ),
    (
        events.RelayReady(id="wzp1r", port=4433, addresses=["a:4433"], ports=[1]),
        "Relay wzp1r serves at a:4433. To use it: --relay HOST:4433",
    ),
    (
        events.RelayStats(
            links=3,
            published=2,
            channels=1,
            forwarded_packets=50,
            forwarded_bytes=9000,
            dropped={"rate": 1, "unknown": 1},
        ),
        "3 connected, 2 can be called, 1 channels; 50 packets passed on, 2 dropped.",
    ),
    (events.Ringing(peer="bob"), "Ringing at bob."),
    (events.Warned(code="x", message="old relay"), "Warning: old relay."),
]


@pytest.mark.parametrize(("event", "sentence"), SAID)
def test_one_sentence_for_each_event(event: events.Event, sentence: str) -> None:
    assert event_sentence(event) == sentence


def test_no_event_is_forgotten() -> None:
    silent = {events.Hello, events.Ended, events.Stats, events.Candidate}
    every = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event)
    } - {events.Event}
    assert {type(event) for event, _ in SAID} | silent == every


@pytest.fixture
def voices() -> Callable[..., tuple[PersonVoice, list[bytes]]]:
    def make(*, quiet: bool) -> tuple[PersonVoice, list[bytes]]:
        written: list[bytes] = []
        return PersonVoice(written.append, quiet=quiet), written

    return make


@pytest.mark.parametrize("quiet", [False, True])
def test_talk_goes_to_standard_error_and_the_answer_out(
    quiet: bool,
    voices: Callable[..., tuple[PersonVoice, list[bytes]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    voice, written = voices(quiet=quiet)
    voice.report(events.Ringing(peer="bob"))
    voice.report(events.Hello(id="", version=""))
    voice.close(Outcome(None, "done"), PeerBusy("busy"))
    talk = "" if quiet else "Ringing at bob.\n"
    assert capsys.readouterr() == ("", talk + "wzp: busy. Try again later.\n")
    assert written == [b"done\n"]


def test_who_stops_us_hears_no_complaint(
    voices: Callable[..., tuple[PersonVoice, list[bytes]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    voice, written = voices(quiet=False)
    voice.close(None, KeyboardInterrupt())
    assert (capsys.readouterr().err, written) == ("", [])
