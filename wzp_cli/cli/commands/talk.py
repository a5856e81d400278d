"""`wzp talk`: push-to-talk, for a key, a pedal or a script."""

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import SWITCHES, SwitchArgument
from wzp_cli.protocol.messages.control import AskTalk, CallSteered

__all__ = ["app", "talk"]

app = command_app()


@command(app, "talk", result=CallSteered)
async def talk(session: Session, switch: SwitchArgument = "on") -> Outcome:
    """Push to talk in the running call, or release; `wzp mute off` ends that."""
    from wzp_cli.cli.control.asking import ordered

    call = await ordered(session, AskTalk(on=SWITCHES[switch]))
    text = "Released: we are not heard." if call.muted else "Talking: we are heard."
    return Outcome(call, text)
