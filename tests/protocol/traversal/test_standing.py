from functools import reduce

from wzp_cli import events
from wzp_cli.defaults.program import MISSED_CALLS_KEPT
from wzp_cli.protocol.traversal.standing import CallStanding, Standing, after

START = Standing(command="listen", pid=7, version="1", since="2026-11-24T16:00:00.000Z")
PEER = "wzp1peer"


def standing(*happened: events.Event) -> Standing:
    return reduce(after, happened, START)


def test_from_the_start_to_ready() -> None:
    now = standing(
        events.Hello(id="wzp1me", version="1"),
        events.Bound(port=4, addresses=["10.0.0.2"]),
        events.Reflexive(address="192.0.2.1:4", via="r:1"),
        events.Registered(relay="r:1", relay_id="wzp1r", published=True),
        events.PortMapped(address="192.0.2.1:9", protocol="pcp"),
        events.Ready(id="wzp1me", ticket="wzp:x"),
    )
    assert (now.id, now.port, now.addresses) == ("wzp1me", 4, ["10.0.0.2"])
    assert (now.reflexive, now.mapped) == ("192.0.2.1:4", "192.0.2.1:9")
    assert (now.relay, now.relay_up) == ("r:1", True)
    assert (now.ready, now.ticket, now.call) == (True, "wzp:x", None)


def test_a_relay_that_is_lost_and_found() -> None:
    up = events.Registered(relay="r:1", relay_id="wzp1r", published=True)
    lost = events.Warned(code="relay_lost", message="the relay r:1 is lost")
    assert (standing(up, lost).relay, standing(up, lost).relay_up) == ("r:1", False)
    assert standing(up, lost, up).relay_up
    other = events.Warned(code="codec", message="poor")
    assert standing(up, other).relay_up


def test_a_call_from_ringing_to_its_end() -> None:
    incoming = events.Incoming(call="c", peer=PEER, name="Bob")
    answered = events.Answered(peer=PEER)
    relay = events.PathSelected(path="relay", remote="r:1")
    direct = events.PathChanged(path="direct", remote="192.0.2.9:5", reason="better")
    stats = events.Stats(
        path="direct",
        rtt_ms=40.0,
        loss_pct=1.5,
        jitter_ms=1.0,
        buffer_ms=40.0,
        concealed_ms=0.0,
        tx_bps=1,
        rx_bps=1,
        mos_est=4.2,
    )
    ringing = CallStanding(state="ringing", peer=PEER, name="Bob", incoming=True)
    assert standing(incoming).call == ringing
    talking = standing(incoming, answered, relay)
    assert talking.calls == 1
    assert talking.call == CallStanding(
        state="talking",
        peer=PEER,
        name="Bob",
        incoming=True,
        path="relay",
        remote="r:1",
    )
    measured = standing(incoming, answered, relay, direct, stats)
    assert measured.call == CallStanding(
        state="talking",
        peer=PEER,
        name="Bob",
        incoming=True,
        path="direct",
        remote="192.0.2.9:5",
        rtt_ms=40.0,
        loss_pct=1.5,
        mos_est=4.2,
    )
    quiet = standing(
        incoming,
        answered,
        events.Muted(muted=True),
        events.Held(held=True, by="peer"),
    ).call
    assert quiet is not None
    assert (quiet.muted, quiet.held) == (True, True)
    over = events.Hangup(reason="time is up", by="local")
    assert standing(incoming, answered, stats, over).call is None
    assert standing(incoming, events.Hangup(reason="declined", by="local")).calls == 0


def test_the_callers_side() -> None:
    ringing = events.Ringing(peer=PEER)
    other = events.Ringing(peer="wzp1other")
    assert standing(ringing).call == CallStanding(state="ringing", peer=PEER)
    assert standing(ringing, other).call == CallStanding(state="ringing", peer=PEER)
    answered = standing(ringing, events.Answered(peer=PEER, setup_ms=1.0))
    assert answered.call == CallStanding(state="talking", peer=PEER)


def test_a_call_that_we_place() -> None:
    calling = events.Calling(peer="host:1")
    rings = events.Ringing(peer=PEER)
    assert standing(calling).call == CallStanding(state="calling", peer="host:1")
    assert standing(calling, rings).call == CallStanding(state="ringing", peer=PEER)
    talking = standing(calling, rings, events.Answered(peer=PEER)).call
    assert talking == CallStanding(state="talking", peer=PEER)
    failed = events.Hangup(reason="peer_offline", by="peer")
    assert standing(calling, failed).call is None


def test_since_when_it_rings_and_since_when_it_is_answered() -> None:
    now = after(START, events.Incoming(call="c", peer=PEER), "18:00")
    assert now.call is not None
    assert now.call.since == "18:00"
    now = after(now, events.Muted(muted=True), "18:01")
    now = after(now, events.Answered(peer=PEER), "18:02")
    now = after(now, events.Held(held=True, by="peer"), "18:03")
    assert now.call is not None
    assert now.call.since == "18:02"


def test_missed_calls_are_counted_and_the_last_are_kept() -> None:
    now = START
    for number in range(MISSED_CALLS_KEPT + 5):
        missed = events.Missed(peer=PEER, name=f"{number}", reason="busy")
        now = after(now, missed, f"at {number}")
    assert now.missed == MISSED_CALLS_KEPT + 5
    assert len(now.missed_calls) == MISSED_CALLS_KEPT
    last = now.missed_calls[-1]
    assert (last.at, last.name, last.reason) == ("at 24", "24", "busy")


def test_what_is_told_outside_of_a_call_changes_nothing() -> None:
    assert standing(events.PathSelected(path="relay", remote="r:1")) == START
    assert standing(events.MediaStarted(first_audio_ms=1.0)) == START
