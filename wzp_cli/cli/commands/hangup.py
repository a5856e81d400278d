"""`wzp hangup`: end the call of the wzp that runs here, however far it has come."""

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.protocol.messages.control import AskHangUp, CallSteered

__all__ = ["app", "hangup"]

app = command_app()
_DONE = {"ringing": "Declined", "calling": "No longer calling"}


@command(app, "hangup", result=CallSteered)
async def hangup(session: Session) -> Outcome:
    """End the call of the running listen or call; decline one that rings."""
    from wzp_cli.cli.control.asking import ordered, shown

    call = await ordered(session, AskHangUp())
    return Outcome(call, f"{_DONE.get(call.state, 'Hung up on')} {shown(call)}.")
