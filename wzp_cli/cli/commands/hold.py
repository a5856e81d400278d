"""`wzp hold`: put the call of the wzp that runs here on hold."""

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import SWITCHES, SwitchArgument
from wzp_cli.protocol.messages.control import AskHold, CallSteered

__all__ = ["app", "hold"]

app = command_app()


@command(app, "hold", result=CallSteered)
async def hold(session: Session, switch: SwitchArgument = "on") -> Outcome:
    """Put the running call on hold, or resume it; the other side is told."""
    from wzp_cli.cli.control.asking import ordered

    call = await ordered(session, AskHold(on=SWITCHES[switch]))
    text = "The call is on hold." if call.held else "The call is not on hold."
    return Outcome(call, text)
