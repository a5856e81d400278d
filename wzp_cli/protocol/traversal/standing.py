"""What a running wzp is doing: what its events so far add up to."""

from typing import Literal

import msgspec

from wzp_cli import events
from wzp_cli.defaults.program import MISSED_CALLS_KEPT

__all__ = ["CallStanding", "MissedCall", "Standing", "after"]


class CallStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The call under way. `rtt_ms`, `loss_pct`, `mos_est`: of the last second.

    `calling`: we call, and nothing rings there yet. `incoming`: they called us.
    `since`: when it began, or was answered; `lasted_s`: how long ago that was as this
    was told, whatever has become of the clock since then.
    """

    state: Literal["calling", "ringing", "talking"]
    peer: str
    name: str = ""
    incoming: bool = False
    since: str = ""
    lasted_s: float | None = None
    contact: str | None = None
    verified: bool = False
    path: events.PathName | None = None
    remote: str | None = None
    rtt_ms: float | None = None
    loss_pct: float | None = None
    mos_est: float | None = None
    muted: bool = False
    held: bool = False


class MissedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that nobody took, as the event `missed` tells it; `at`: when."""

    at: str
    peer: str
    name: str
    reason: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One running wzp. None: not so, or not yet.

    `since`: when it started. `relay_up`: whether it is registered now. `mapped`: the
    router's port that leads to the one socket. `ticket`: by which others call. `calls`:
    how many were answered. `missed`: how many nobody took; `missed_calls`: the last.
    """

    command: str
    pid: int
    version: str
    since: str
    id: str = ""
    port: int | None = None
    addresses: list[str] = []
    reflexive: str | None = None
    relay: str | None = None
    relay_up: bool = False
    mapped: str | None = None
    ready: bool = False
    ticket: str | None = None
    call: CallStanding | None = None
    calls: int = 0
    missed: int = 0
    missed_calls: list[MissedCall] = []


def after(standing: Standing, event: events.Event, at: str = "") -> Standing:
    """Return where things stand once `event` has happened, at that time."""
    change = msgspec.structs.replace
    match event:
        case events.Hello(id=identity):
            return change(standing, id=identity)
        case events.Bound(port=port, addresses=addresses):
            return change(standing, port=port, addresses=addresses)
        case events.Reflexive(address=address):
            return change(standing, reflexive=address)
        case events.PortMapped(address=address):
            return change(standing, mapped=address)
        case events.Registered(relay=relay):
            return change(standing, relay=relay, relay_up=True)
        case events.Warned(code="relay_lost"):
            return change(standing, relay_up=False)
        case events.Ready(ticket=ticket):
            return change(standing, ready=True, ticket=ticket)
        case events.Incoming(peer=peer, name=name):
            call = CallStanding(
                state="ringing",
                peer=peer,
                name=name,
                incoming=True,
                since=at,
                contact=event.contact,
                verified=event.verified,
            )
            return change(standing, call=call)
        case events.Calling(peer=peer):
            call = CallStanding(state="calling", peer=peer, since=at)
            return change(standing, call=call)
        case events.Ringing(peer=peer):
            return change(standing, call=_rings(standing.call, peer, at))
        case events.Answered(peer=peer):
            before = standing.call or CallStanding(state="ringing", peer=peer)
            call = CallStanding(
                state="talking",
                peer=peer,
                name=before.name,
                incoming=before.incoming,
                since=at,
                contact=event.contact,
                verified=event.verified,
            )
            return change(standing, call=call, calls=standing.calls + 1)
        case events.Missed(peer=peer, name=name, reason=reason):
            missed = MissedCall(at=at, peer=peer, name=name, reason=reason)
            last = [*standing.missed_calls, missed][-MISSED_CALLS_KEPT:]
            return change(standing, missed=standing.missed + 1, missed_calls=last)
        case events.Hangup():
            return change(standing, call=None)
    if standing.call is None:
        return standing
    return change(standing, call=_in_call(standing.call, event))


def _rings(call: CallStanding | None, peer: str, at: str) -> CallStanding:
    if call is not None and call.state != "calling":
        return call
    began = call.since if call else at
    return CallStanding(state="ringing", peer=peer, since=began)


def _in_call(call: CallStanding, event: events.Event) -> CallStanding:
    change = msgspec.structs.replace
    match event:
        case events.PathSelected() | events.PathChanged():
            return change(call, path=event.path, remote=event.remote)
        case events.Muted(muted=muted):
            return change(call, muted=muted)
        case events.Held(held=held):
            return change(call, held=held)
        case events.Stats():
            return change(
                call,
                path=event.path,
                rtt_ms=event.rtt_ms,
                loss_pct=event.loss_pct,
                mos_est=event.mos_est,
            )
    return call
