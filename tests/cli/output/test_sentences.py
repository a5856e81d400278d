import pytest

from wzp_cli import events
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.sentences import PersonVoice, event_sentence, folded
from wzp_cli.errors import PeerBusy

BOB = "wzp17556x3o5cc5gwifri7ltiarfxropdjeh5oz4dm327oecngo2kpg47ay"
SAID = [
    (events.Answered(peer=BOB, setup_ms=182.4), "7556x3o5cc5g answered after 182 ms."),
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
        events.Hangup(reason="answered-elsewhere", by="peer"),
        "The call was answered on another device.",
    ),
    (
        events.Hangup(reason="hung up", by="local"),
        "The call is over: we hung up.",
    ),
    (events.Recorded(path="a.wav"), "The call is recorded: a.wav"),
    (events.Muted(muted=True), "Muted: we are not heard."),
    (events.Muted(muted=False), "No longer muted."),
    (events.Muted(muted=False, push_to_talk=True), "We are heard."),
    (events.Held(held=True, by="peer"), "The peer has put us on hold."),
    (events.Held(held=False, by="local"), "The call goes on."),
    (
        events.Incoming(call="1", peer=BOB, name="[b]Eve[/b]"),
        'Incoming call from "[b]Eve[/b]" (not verified), through the relay, by:\n'
        f"  {BOB}",
    ),
    (
        events.Incoming(call="1", peer=BOB, name="ALICE", namesake="Alice"),
        'Incoming call from "ALICE" (NOT the key of your contact Alice), through the'
        f" relay, by:\n  {BOB}",
    ),
    (
        events.Incoming(call="1", peer=BOB, via="direct"),
        f"Incoming call, directly, by:\n  {BOB}",
    ),
    (
        events.Missed(peer=BOB, name="[b]Eve[/b]", reason="busy"),
        'Missed call from "[b]Eve[/b]" (not verified), another call was under way, by:'
        f"\n  {BOB}",
    ),
    (
        events.Missed(peer=BOB, reason="withdrawn"),
        f"Missed call, the caller gave up, by:\n  {BOB}",
    ),
    (events.Calling(peer=BOB), "Calling 7556x3o5cc5g."),
    (
        events.Judged(quality="good", limited_by=None, sentence="Sound was good."),
        "Sound was good.",
    ),
    (
        events.MappingAged(lived_s=0, lost_s=None, next_s=8.0),
        "Finding out how long a silent mapping lasts takes minutes (Ctrl-C: tell what "
        "is known by then); next: 8 s.",
    ),
    (
        events.MappingAged(lived_s=8.0, lost_s=None, next_s=15.0),
        "A silent mapping lasts at least 8 s; next: 15 s.",
    ),
    (
        events.MappingAged(lived_s=25.0, lost_s=40.0, next_s=None),
        "A silent mapping lasts at least 25 s, but less than 40 s.",
    ),
    (
        events.MappingAged(lived_s=0, lost_s=8.0, next_s=None),
        "A silent mapping lasts less than 8 s.",
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
        events.NatDetected(
            summary="Direct calls: likely; a:4", changed=["reflexive"], result={}
        ),
        "Direct calls: likely; a:4 (new: reflexive)",
    ),
    (
        events.PathPlanned(
            strategy="relay",
            mapping="x",
            peer_mapping="y",
            elapsed_ms=9.0,
            reason="both roll dice",
        ),
        "No direct path can be found, the relay is used: both roll dice.",
    ),
    (
        events.PathPlanned(
            strategy="search", mapping="x", peer_mapping="y", elapsed_ms=9.0
        ),
        "Searching for a direct path; that takes up to 12 s.",
    ),
    (
        events.PathPlanned(
            strategy="prediction", mapping="x", peer_mapping="y", elapsed_ms=9.0
        ),
        "Searching for a direct path, by predicting ports.",
    ),
    (
        events.PortMapped(address="203.0.113.7:5000", protocol="nat-pmp"),
        "The router sends 203.0.113.7:5000 on to us (NAT-PMP).",
    ),
    (
        events.PortMapped(address="10.0.0.7:5", protocol="upnp", reason="a NAT"),
        "The router sends 10.0.0.7:5 on to us (UPnP), of no use: a NAT.",
    ),
    (
        events.PortMapped(address=None, protocol=None, reason="it has none"),
        "No port of the router's for us: it has none.",
    ),
    (
        events.PathSearched(
            strategy="search",
            side="probes",
            packets=217,
            found=True,
            elapsed_ms=2210.0,
        ),
        "The search has found a direct path (217 packets, 2.2 s).",
    ),
    (
        events.PathSearched(
            strategy="search",
            side="probes",
            packets=0,
            found=False,
            elapsed_ms=0.0,
            reason="another search was under way",
        ),
        "The search has found no direct path: another search was under way.",
    ),
    (
        events.PathSelected(path="relay", remote="r:1"),
        "Talking through relay r:1.",
    ),
    (
        events.PathTried(address="r:1", answered=True, checks=2, elapsed_ms=31.0),
        "Tried r:1: an answer after 31 ms.",
    ),
    (
        events.PathTried(
            address="r:1", answered=False, checks=9, elapsed_ms=1.0, reason="timeout"
        ),
        "Tried r:1 9 times: timeout.",
    ),
    (
        events.Pinged(number=1, path="direct", remote="r:1", rtt_ms=41.2),
        "Ping 1: 41 ms directly with r:1.",
    ),
    (
        events.Pinged(number=2, path="relay", remote="r:1", rtt_ms=None),
        "Ping 2: no answer (through relay r:1).",
    ),
    (
        events.LanAnnounced(name="Ada", addresses=["a", "b"]),
        "Others on this LAN see us by `wzp lan`: as Ada, at a, b.",
    ),
    (
        events.LanAnnounced(name="", addresses=["a"]),
        "Others on this LAN see us by `wzp lan`: at a.",
    ),
    (events.Ready(id="wzp1me", ticket="wzp:wzp1me"), "Ready for calls."),
    (
        events.Ready(id="wzp1me", ticket="wzp:wzp1me?relay=r:1&sig=x"),
        "Ready for calls. To be called:\n  wzp call 'wzp:wzp1me?relay=r:1&sig=x'",
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
        "Registered at relay r:2.",
    ),
    (
        events.Registered(relay="r:2", relay_id="x", published=True, transport="tcp"),
        "Registered at relay r:2 through TCP, since UDP does not get there; "
        "others can call us through it.",
    ),
    (
        events.RelayReady(id=BOB, port=1, addresses=["a:1", "[b]:1"], ports=[2]),
        "Relay 7556x3o5cc5g serves on UDP port 1. To use it:\n"
        "  --relay a:1\n  --relay [b]:1",
    ),
    (
        events.RelayReady(id=BOB, port=1, addresses=["a:1"], ports=[], tcp_port=443),
        "Relay 7556x3o5cc5g serves on UDP port 1 and TCP port 443. To use it:\n"
        "  --relay a:1",
    ),
    (
        events.RelayReady(id=BOB, port=1, addresses=[], ports=[]),
        "Relay 7556x3o5cc5g serves on UDP port 1. To use it:\n  --relay HOST:1",
    ),
    (
        events.RelayReloaded(tokens=None, allowed=None, blocked=2, closed=0),
        "Rules read: everybody is admitted, 2 blocked; clients let go: 0.",
    ),
    (
        events.RelayReloaded(tokens=3, allowed=None, blocked=0, closed=1),
        "Rules read: 3 tokens and 0 identities admit, 0 blocked; clients let go: 1.",
    ),
    (
        events.RelayDraining(channels=4, within_s=10.0),
        "Stopping: nobody is taken any more, 4 channels may go on for 10 s. "
        "Again: at once.",
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
        "Connected: 3, of them ready for calls: 2; open channels: 1.",
    ),
    (events.Ringing(peer=BOB), "Ringing at 7556x3o5cc5g."),
    (events.Warned(code="x", message="old relay"), "Warning: old relay."),
]


@pytest.mark.parametrize(("event", "sentence"), SAID)
def test_one_sentence_for_each_event(event: events.Event, sentence: str) -> None:
    assert event_sentence(event) == sentence


def test_no_event_is_forgotten() -> None:
    silent = {events.Hello, events.Ended, events.Stats, events.Candidate}
    silent |= {events.Level, events.Loudness}
    every = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event)
    } - {events.Event}
    assert {type(event) for event, _ in SAID} | silent == every


def test_lines_fit_a_terminal() -> None:
    address = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"
    changed = events.PathChanged(path="direct", remote=address, reason="it is better")
    assert folded(event_sentence(changed) or "", 80).splitlines() == [
        f"Now talking directly with {address}: it is",
        "    better.",
    ]
    ready = events.Ready(id=BOB, ticket=f"wzp:{BOB}?relay=r:1&sig=x")
    lines = folded(event_sentence(ready) or "", 40).splitlines()
    assert lines == ["Ready for calls. To be called:", f"  wzp call '{ready.ticket}'"]


@pytest.mark.parametrize(
    ("verbose", "answers", "said"),
    [
        (False, False, True),
        (True, False, True),
        (False, True, False),
        (True, True, True),
    ],
)
def test_what_the_answer_tells_is_not_told_before(
    verbose: bool, answers: bool, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = PersonVoice(print, quiet=False, verbose=verbose, answers=answers)
    voice.report(events.Registered(relay="r:2", relay_id=BOB, published=False))
    assert ("r:2" in capsys.readouterr().err) is said
    voice.report(events.Warned(code="x", message="old relay"))
    assert capsys.readouterr().err == "Warning: old relay.\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_talk_goes_to_standard_error_and_the_answer_out(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[bytes] = []
    voice = PersonVoice(written.append, quiet=quiet)
    voice.report(events.Ringing(peer="bob"))
    voice.report(events.Hello(id="", version=""))
    voice.close(Outcome(None, "done"), PeerBusy("busy"))
    talk = "" if quiet else "Ringing at bob.\n"
    assert capsys.readouterr() == ("", talk + "wzp: busy. Try again later.\n")
    assert written == [b"done\n"]


def test_details_are_for_who_wants_them(capsys: pytest.CaptureFixture[str]) -> None:
    tried = events.PathTried(address="a:1", answered=True, checks=1, elapsed_ms=1.0)
    PersonVoice(print, quiet=False).report(tried)
    assert capsys.readouterr().err == ""
    PersonVoice(print, quiet=False, verbose=True).report(tried)
    assert capsys.readouterr().err == "Tried a:1: an answer after 1 ms.\n"


def test_nothing_is_said_twice_in_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    voice = PersonVoice(print, quiet=False)
    for relay in ["a", "a", "b", "a"]:
        voice.report(events.Warned(code="lost", message=relay))
    said = ["Warning: a.", "Warning: b.", "Warning: a."]
    assert capsys.readouterr().err.splitlines() == said


def test_who_stops_us_hears_no_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[bytes] = []
    voice = PersonVoice(written.append, quiet=False)
    voice.close(None, KeyboardInterrupt())
    assert (capsys.readouterr().err, written) == ("", [])
