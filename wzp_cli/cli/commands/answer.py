"""`wzp answer`: answer the call that rings at the wzp that runs here."""

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.protocol.messages.control import AskAnswer, CallSteered

__all__ = ["answer", "app"]

app = command_app()


@command(app, "answer", result=CallSteered)
async def answer(session: Session) -> Outcome:
    """Answer the call that rings at the running listen."""
    from wzp_cli.cli.control.asking import ordered, shown

    call = await ordered(session, AskAnswer())
    return Outcome(call, f"Answered {shown(call)}.")
