"""`wzp id`: who this machine is to others."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from wzp_cli.adapters.state import open_state
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import parse_relay
from wzp_cli.errors import UsageError
from wzp_cli.protocol.identity import Identity

__all__ = [
    "ForgottenRelay",
    "NewIdentity",
    "ShownIdentity",
    "app",
    "forget",
    "new",
    "show",
]


class ShownIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are. `short` is for eyes only, never to compare."""

    id: str
    short: str
    state_dir: str


class NewIdentity(ShownIdentity, frozen=True, kw_only=True):
    """Who we are from now on. `previous_key`: the file with the key before."""

    previous_key: str | None


app = command_app(help="Show or renew this machine's identity.")


@command(app, "id show", result=ShownIdentity)
def show(session: Session) -> Outcome:
    """Print the identity that others call; the first use makes it."""
    state = open_state(session.settings.state_dir)
    identity = state.keypair.identity
    shown = ShownIdentity(
        id=str(identity), short=identity.short, state_dir=_text(state.directory)
    )
    return Outcome(shown, _lines(identity, state.directory))


@command(app, "id new", result=NewIdentity)
def new(session: Session) -> Outcome:
    """Become somebody new; the key before is kept in the state directory."""
    state = open_state(session.settings.state_dir)
    keypair, kept = state.new_identity()
    identity = keypair.identity
    made = NewIdentity(
        id=str(identity),
        short=identity.short,
        state_dir=_text(state.directory),
        previous_key=None if kept is None else _text(kept),
    )
    before = "" if kept is None else f"\nprevious key:    {_text(kept)}"
    return Outcome(made, _lines(identity, state.directory) + before)


class ForgottenRelay(msgspec.Struct, frozen=True, kw_only=True):
    """A relay whose key is no longer pinned. `known`: whether it was."""

    relay: str
    known: bool


@command(app, "id forget", result=ForgottenRelay)
def forget(
    session: Session,
    relay: Annotated[
        str, typer.Argument(metavar="RELAY", help="The relay, as in --relay.")
    ],
) -> Outcome:
    """Forget a relay's key: whichever it shows next is pinned."""
    try:
        name = str(parse_relay(relay))
    except ValueError as error:
        raise UsageError(str(error)) from error
    known = open_state(session.settings.state_dir).known_relays.forget(name)
    text = f"forgotten: {name}" if known else f"{name} was not known"
    return Outcome(ForgottenRelay(relay=name, known=known), text)


def _lines(identity: Identity, directory: Path) -> str:
    return (
        f"identity:        {identity}\n"
        f"short:           {identity.short}\n"
        f"state directory: {_text(directory)}"
    )


def _text(path: Path) -> str:
    """Return `path` for people and JSON, whatever bytes its name has."""
    return os.fsencode(path.absolute()).decode(errors="replace")
