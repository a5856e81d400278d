"""`wzp mute`: hold our voice back in the call of the wzp that runs here."""

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import SWITCHES, SwitchArgument
from wzp_cli.protocol.messages.control import AskMute, CallSteered

__all__ = ["app", "mute"]

app = command_app()


@command(app, "mute", result=CallSteered)
async def mute(session: Session, switch: SwitchArgument = "on") -> Outcome:
    """Hold our voice back in the running call, or no longer."""
    from wzp_cli.cli.control.asking import ordered

    call = await ordered(session, AskMute(on=SWITCHES[switch]))
    text = "Muted: we are not heard." if call.muted else "Not muted: we are heard."
    return Outcome(call, text)
