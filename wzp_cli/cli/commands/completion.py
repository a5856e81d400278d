"""`wzp completion`: what a shell needs to complete wzp's words."""

from typing import Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app

__all__ = ["CompletionScript", "app", "completion"]

_HINTS = {
    "bash": "wzp completion bash > ~/.local/share/bash-completion/completions/wzp",
    "zsh": "wzp completion zsh > ~/.zfunc/_wzp",
    "fish": "wzp completion fish > ~/.config/fish/completions/wzp.fish",
    "pwsh": "wzp completion pwsh >> $PROFILE",
}


class CompletionScript(msgspec.Struct, frozen=True, kw_only=True):
    """The script, and a command that puts it where the shell looks."""

    shell: str
    script: str
    install: str


app = command_app()


@command(app, "completion", result=CompletionScript)
def completion(
    session: Session,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "pwsh"],
        typer.Argument(metavar="SHELL", help="bash, zsh, fish or pwsh."),
    ],
) -> Outcome:
    """Print what makes a shell complete commands, flags and their values."""
    from typer._completion_shared import get_completion_script

    from wzp_cli.cli.app import COMPLETES

    script = get_completion_script(prog_name="wzp", complete_var=COMPLETES, shell=shell)
    found = CompletionScript(shell=shell, script=script, install=_HINTS[shell])
    return Outcome(found, script)
