"""`wzp id`: who this machine is to others."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from wzp_cli.adapters.disk.state import State, open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption, TicketExpiresOption, parse_relay
from wzp_cli.errors import UsageError
from wzp_cli.events import Warned
from wzp_cli.protocol.names.identity import Identity

__all__ = [
    "Backup",
    "ForgottenKey",
    "NewIdentity",
    "ShownIdentity",
    "ShownTicket",
    "TrustedKey",
    "VerifiedContact",
    "app",
    "export",
    "forget",
    "new",
    "qr",
    "restore",
    "show",
    "ticket",
    "trust",
    "verify",
]


class ShownIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are. `short` is for eyes only, never to compare."""

    id: str
    short: str
    state_dir: str


class NewIdentity(ShownIdentity, frozen=True, kw_only=True):
    """Who we are from now on. `previous_key`: the file with the key before."""

    previous_key: str | None


app = command_app(help="This machine's identity, and trust in others'.")

_BACKUP_MAX_BYTES = 4096


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
    _, kept = state.new_identity()
    return _become(state, kept)


class VerifiedContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact, and the words of both keys; `own_words` are those that we read out."""

    name: str
    id: str
    verified: bool
    words: list[str]
    own_id: str
    own_words: list[str]


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was checked by other means: a contact's, or a relay's (`relay`)."""

    name: str | None
    relay: str | None
    id: str


class ForgottenKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key trusted no longer. `known`: whether it was. `name`: a contact's.

    `relay`: the word that was given, where it names no contact.
    """

    relay: str | None
    known: bool
    name: str | None = None


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The private key as words. `words`: null where they are in the file `path`."""

    id: str
    words: list[str] | None
    path: str | None


class ShownTicket(msgspec.Struct, frozen=True, kw_only=True):
    """By what others call. `expires`: Unix seconds. `qr`: its lines, if asked for."""

    ticket: str
    expires: int | None
    qr: list[str] | None


KnownArgument = Annotated[
    str, typer.Argument(metavar="PEER", help="A contact, by name or identity.")
]


@command(app, "id verify", result=VerifiedContact)
async def verify(session: Session, peer: KnownArgument) -> Outcome:
    """Compare keys by words that both sides read aloud, and keep that they fit."""
    from wzp_cli.adapters.identity_words import verification_words
    from wzp_cli.cli.output.channels import say
    from wzp_cli.cli.output.prompt import ask_at_terminal, can_ask
    from wzp_cli.cli.peers import find_contact

    state = open_state(session.settings.state_dir)
    contact = find_contact(peer, state)
    own = state.keypair.identity
    ours, theirs = verification_words(own), verification_words(contact.identity)
    page = (
        f"You read to {contact.name}:\n{_rows(ours)}\n"
        f"{contact.name} reads to you:\n{_rows(theirs)}"
    )
    fits, settings = contact.verified, session.settings
    text = f"{page}\nverified: {'yes' if fits else 'no'}"
    if can_ask() and not (settings.no_input or settings.json):
        say(f"{page}\nIn a call, or side by side: every word, both ways.")
        fits = await ask_at_terminal("Were all words the same on both sides?")
        _mark(state, contact.identity, fits)
        text = f"{contact.name}: {'verified' if fits else 'not verified'}"
    found = VerifiedContact(
        name=contact.name,
        id=str(contact.identity),
        verified=fits,
        words=theirs,
        own_id=str(own),
        own_words=ours,
    )
    return Outcome(found, text)


@command(app, "id trust", result=TrustedKey)
def trust(
    session: Session,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="Contact, or relay.")],
    key: Annotated[
        str | None,
        typer.Argument(metavar="IDENTITY", help="The relay's key, from its operator."),
    ] = None,
) -> Outcome:
    """Take a contact's key for verified, or a relay's before the first visit."""
    from wzp_cli.cli.peers import find_contact

    state = open_state(session.settings.state_dir)
    if key is not None:
        identity, relay = Identity.parse(key), _relay(peer).server
        state.known_relays.pin(relay, identity.key)
        trusted = TrustedKey(name=None, relay=relay, id=str(identity))
        return Outcome(trusted, f"trusted: {relay} with {identity}")
    contact = find_contact(peer, state)
    _mark(state, contact.identity, True)
    trusted = TrustedKey(name=contact.name, relay=None, id=str(contact.identity))
    return Outcome(trusted, f"{contact.name}: verified")


@command(app, "id forget", result=ForgottenKey)
def forget(
    session: Session,
    relay: Annotated[
        str,
        typer.Argument(metavar="RELAY|NAME", help="A relay, as in --relay; a contact."),
    ],
) -> Outcome:
    """Trust a relay's pinned key, or a contact's verified one, no longer."""
    state = open_state(session.settings.state_dir)
    contact = state.contacts.named(relay)
    if contact is not None:
        _mark(state, contact.identity, False)
        forgotten = ForgottenKey(relay=None, known=contact.verified, name=contact.name)
        return Outcome(forgotten, f"{contact.name}: not verified")
    name = _relay(relay).server
    known = state.known_relays.forget(name)
    text = f"forgotten: {name}" if known else f"{name} was not known"
    return Outcome(ForgottenKey(relay=name, known=known), text)


@command(app, "id export", result=Backup)
def export(
    session: Session,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A new file, 0600."),
    ] = None,
) -> Outcome:
    """Write the private key as 24 words: whoever has them is you."""
    from wzp_cli.adapters.disk.private_files import write_private
    from wzp_cli.adapters.identity_words import backup_words

    keypair = open_state(session.settings.state_dir).keypair
    words, identity = backup_words(keypair), str(keypair.identity)
    if output is None:
        return Outcome(Backup(id=identity, words=words, path=None), _rows(words))
    write_private(output, f"{' '.join(words)}\n".encode("ascii"))
    path = _text(output)
    saved = f"kept in {path}: whoever has these words is you"
    return Outcome(Backup(id=identity, words=None, path=path), saved)


@command(app, "id import", result=NewIdentity)
def restore(
    session: Session,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The words; else standard input."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the identity here; it is kept.")
    ] = False,
) -> Outcome:
    """Be who the 24 words of a backup say, here too."""
    from wzp_cli.adapters.identity_words import restored

    keypair = restored(_backup(session, file))
    state = open_state(session.settings.state_dir)
    kept = state.restore(keypair, replaces=force)
    with state.claim_port() as alone:
        if not alone:
            words = "a wzp that runs here keeps its identity until it is started again"
            session.report(Warned(code="restart", message=words))
    return _become(state, kept)


@command(app, "id ticket", result=ShownTicket)
def ticket(
    session: Session,
    relay: RelayOption = None,
    ticket_expires: TicketExpiresOption = None,
) -> Outcome:
    """Print the ticket by which others call: who, and through which relay."""
    text, expires = _ticket(session, relay, ticket_expires)
    return Outcome(ShownTicket(ticket=text, expires=expires, qr=None), text)


@command(app, "id qr", result=ShownTicket)
def qr(
    session: Session,
    relay: RelayOption = None,
    ticket_expires: TicketExpiresOption = None,
) -> Outcome:
    """Draw the ticket as a QR code, for a terminal of 80 columns."""
    from wzp_cli.adapters.qr_code import drawn_qr_code

    text, expires = _ticket(session, relay, ticket_expires)
    drawn = drawn_qr_code(text)
    shown = ShownTicket(ticket=text, expires=expires, qr=drawn.split("\n"))
    return Outcome(shown, f"{drawn}\n{text}")


def _ticket(
    session: Session, relay: Sequence[HostPort] | None, expires_s: float | None
) -> tuple[str, int | None]:
    """Return our ticket with the first relay that is known, and when it expires."""
    from wzp_cli.cli.compose import expiry
    from wzp_cli.protocol.names.ticket import Ticket

    state = open_state(session.settings.state_dir)
    keypair = state.keypair
    relays = session.settings.with_servers(relay=relay).relays
    made = Ticket(
        keypair.identity,
        relay=state.known_relays.told(relays[0]) if relays else None,
        expires=expiry(expires_s),
    )
    return made.format(keypair), made.expires


def _backup(session: Session, file: Path | None) -> str:
    """Return the words of a backup, out of a file or as they are typed."""
    from wzp_cli.adapters.identity_words import BACKUP_WORDS
    from wzp_cli.cli.output.channels import say

    if file is not None and str(file) != "-":
        try:
            with file.open("rb") as opened:
                return _ascii(opened.read(_BACKUP_MAX_BYTES))
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"{file} can't be read: {why}") from error
    if sys.stdin is None:
        raise UsageError("there is no standard input; name the file with the words")
    if sys.stdin.isatty():
        if session.settings.no_input:
            raise UsageError("name the file with the words, or pipe them in")
        say(f"Type the {BACKUP_WORDS} words, then Enter.")
    words: list[str] = []
    typed = sys.stdin.buffer
    while len(words) < BACKUP_WORDS and (line := typed.readline(_BACKUP_MAX_BYTES)):
        words += [
            word for word in _ascii(line).split() if not word.strip(".").isdigit()
        ]
    return " ".join(words)


def _ascii(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _mark(state: State, identity: Identity, verified: bool) -> None:
    state.contacts.change(identity, lambda each: replace(each, verified=verified))


def _relay(text: str) -> HostPort:
    try:
        return parse_relay(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _rows(words: Sequence[str]) -> str:
    """Return numbered words, four a row."""
    numbered = [f"{n:>2} {word:<9}" for n, word in enumerate(words, 1)]
    rows = [numbered[start : start + 4] for start in range(0, len(words), 4)]
    return "\n".join("  " + "  ".join(row).rstrip() for row in rows)


def _become(state: State, kept: Path | None) -> Outcome:
    """Return who we are from now on."""
    identity = state.keypair.identity
    made = NewIdentity(
        id=str(identity),
        short=identity.short,
        state_dir=_text(state.directory),
        previous_key=None if kept is None else _text(kept),
    )
    before = "" if kept is None else f"\nprevious key:    {_text(kept)}"
    return Outcome(made, _lines(identity, state.directory) + before)


def _lines(identity: Identity, directory: Path) -> str:
    return (
        f"identity:        {identity}\n"
        f"short:           {identity.short}\n"
        f"state directory: {_text(directory)}"
    )


def _text(path: Path) -> str:
    """Return `path` for people and JSON, whatever bytes its name has."""
    return os.fsencode(path.absolute()).decode(errors="replace")
