"""Calls as they are told by events, for whoever looks at what is made of them."""

from collections.abc import Sequence

from wzp_cli import events
from wzp_cli.cli.view.model import At, Model, Who, after

__all__ = [
    "ALICE",
    "BOB",
    "LISTENING",
    "REACHED",
    "TALKING",
    "listener",
    "stats",
    "told",
]

ALICE = "wzp1alice"
BOB = "wzp1bob"
RELAY = "127.0.0.1:4433"

LISTENING: list[events.Event] = [
    events.Hello(id=BOB, version="1"),
    events.Bound(port=41822, addresses=["192.0.2.7"]),
    events.Reflexive(address="203.0.113.7:41822", via=RELAY),
    events.Registered(relay=RELAY, relay_id="wzp1relay", published=True),
    events.Ready(id=BOB, ticket="wzp:wzp1bob?relay=127.0.0.1:4433&sig=x"),
]
RINGS = events.Incoming(call="1", peer=ALICE, name="Al [b]x[/b]")
TALKING: list[events.Event] = [
    *LISTENING,
    RINGS,
    events.Answered(peer=ALICE),
    events.PathSelected(path="relay", remote=RELAY),
]
REACHED: list[events.Event] = [
    *LISTENING[:4],
    events.Ringing(peer=ALICE),
    events.Answered(peer=ALICE, setup_ms=81.0),
    events.PathSelected(path="relay", remote=RELAY, rtt_ms=9.0),
]


def known(identity: str) -> Who:
    """Know Bob, and nobody else."""
    return Who(identity[4:], "Bob" if identity == BOB else None)


def listener(command: str = "listen", target: str = "") -> Model:
    """Return a model before anything has happened."""
    return Model(command, know=known, target=target, answers="you are asked")


def told(model: Model, story: Sequence[events.Event], at_s: float = 0.0) -> Model:
    """Return the model after these events, one a second."""
    for number, event in enumerate(story):
        model = after(model, event, At(at_s + number, "12:04", "Tue"))
    return model


def stats(
    loss_pct: float = 0.0, rtt_ms: float = 40.0, mos: float | None = 4.2
) -> events.Stats:
    """Return one second of a call."""
    return events.Stats(
        path="direct",
        rtt_ms=rtt_ms,
        loss_pct=loss_pct,
        jitter_ms=1.0,
        buffer_ms=30.0,
        concealed_ms=0.0,
        tx_bps=1,
        rx_bps=1,
        mos_est=mos,
        heard_by_peer=events.HeardByPeer(
            loss_pct=0, concealed_ms=0, recovered_ms=0, buffer_ms=20, mos_est=3.0
        ),
    )
