"""Asking the wzp that runs on this state directory, and giving it orders.

Loads neither the endpoint nor sound: who mutes a call wants it now.
"""

from typing import TypeVar

from wzp_cli.adapters.control_socket import connect_control, transport
from wzp_cli.adapters.disk.state import State, open_state
from wzp_cli.cli.command import Session
from wzp_cli.defaults.program import CONTROL_REPLY_S
from wzp_cli.errors import NotRunning
from wzp_cli.events import Report
from wzp_cli.protocol.messages.control import CallSteered, Request
from wzp_cli.services.control import ask

__all__ = ["asked_running", "ordered", "shown"]

T = TypeVar("T")


async def asked_running(
    state: State,
    request: Request,
    kind: type[T],
    report: Report,
    *,
    patience_s: float | None = CONTROL_REPLY_S,
) -> T | None:
    """Return what the wzp that runs on this state directory finds.

    Args:
        state: Ours.
        request: What to do.
        kind: Of what it finds.
        report: Takes its events.
        patience_s: How long it may be silent once it has begun; None: for ever.

    Returns:
        None where none runs.

    Raises:
        ControlSilent, ControlUnknown, ControlBusy: It runs, but does not do it.
        WzpError: What went wrong there.
    """
    async with connect_control(transport(state.directory)) as channel:
        if channel is None:
            return None
        return await ask(channel, request, kind, report, patience_s=patience_s)


async def ordered(session: Session, order: Request) -> CallSteered:
    """Return what an order for the call under way has done.

    Raises:
        NotRunning: No wzp runs here.
        NoCall: One does, without such a call.
        ControlSilent, ControlUnknown: It does not answer; or it is older.
    """
    state = open_state(session.settings.state_dir)
    found = await asked_running(state, order, CallSteered, session.report)
    if found is None:
        raise NotRunning
    return found


def shown(call: CallSteered) -> str:
    """Return who is at the other end, as a person reads it."""
    return f'{call.peer} ("{call.name}", not verified)' if call.name else call.peer
