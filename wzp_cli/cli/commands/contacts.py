"""`wzp contacts`: who has a name here, and what they may."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption

if TYPE_CHECKING:
    from wzp_cli.adapters.disk.contacts import Contact
    from wzp_cli.adapters.disk.state import State
    from wzp_cli.protocol.names.identity import Identity

__all__ = [
    "BlockedIdentity",
    "KnownContact",
    "KnownContacts",
    "RemovedContact",
    "ShownContact",
    "add",
    "app",
    "block",
    "list_all",
    "remove",
    "show",
    "unblock",
]

_YES_NO = {True: "yes", False: "no", None: None}

PersonArgument = Annotated[
    str, typer.Argument(metavar="PEER", help="Identity, wzp: ticket, or PEER@lan.")
]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a contact, or of a new one.")
]
KnownArgument = Annotated[
    str, typer.Argument(metavar="PEER", help="Contact, identity or wzp: ticket.")
]


class KnownContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact. `auto_answer`: null is as for others. `blocked`: refused."""

    name: str
    id: str
    short: str
    relay: str | None
    groups: list[str]
    auto_answer: bool | None
    always_relay: bool
    verified: bool
    blocked: bool


class ShownContact(msgspec.Struct, frozen=True, kw_only=True):
    """One contact, as it is now."""

    contact: KnownContact


class BlockedIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that is refused, or no longer. `name`: "" where there is none."""

    id: str
    name: str
    blocked: bool
    changed: bool


class KnownContacts(msgspec.Struct, frozen=True, kw_only=True):
    """All contacts, and who else is refused."""

    contacts: list[KnownContact]
    blocked: list[BlockedIdentity]


class RemovedContact(msgspec.Struct, frozen=True, kw_only=True):
    """A name that is nobody's now. `known`: whether it was somebody's."""

    name: str
    known: bool


app = command_app(help="Names for people, and what they may.")


@command(app, "contacts add", result=ShownContact)
async def add(
    session: Session,
    name: NameArgument,
    peer: PersonArgument,
    relay: RelayOption = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="GROUP", help="A group; may be given again."),
    ] = None,
    auto_answer: Annotated[
        Literal["yes", "no", "default"] | None,
        typer.Option("--auto-answer", help="Take their calls without asking."),
    ] = None,
    always_relay: Annotated[
        bool | None,
        typer.Option(
            "--always-relay/--no-always-relay", help="Tell them no address of ours."
        ),
    ] = None,
) -> Outcome:
    """Give NAME to an identity; said again, change what holds for it."""
    from wzp_cli.adapters.disk.contacts import Contact
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.peers import find_other, met
    from wzp_cli.errors import UsageError

    state = own_state(session)
    found = await met(find_other(peer, state), state)
    if found.identity is None:
        raise UsageError(
            f"{peer} says where, not who: a contact is an identity or a ticket"
        )
    contact = state.contacts.of(found.identity) or Contact(name, found.identity)
    contact = replace(contact, name=name, relay=found.relay or contact.relay)
    if relay:
        contact = replace(contact, relay=relay[0])
    if group is not None:
        contact = replace(contact, groups=tuple(filter(None, group)))
    if auto_answer is not None:
        answers = {"yes": True, "no": False}.get(auto_answer)
        contact = replace(contact, auto_answer=answers)
    if always_relay is not None:
        contact = replace(contact, always_relay=always_relay)
    state.contacts.add(contact)
    return _shown(state, found.identity)


@command(app, "contacts list", result=KnownContacts)
def list_all(
    session: Session,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Only this group.")
    ] = None,
) -> Outcome:
    """List contacts, and who is blocked."""
    from wzp_cli.adapters.disk.contacts import group_name
    from wzp_cli.cli.compose import own_state

    state = own_state(session)
    blocked = state.blocked.all()
    contacts = state.contacts.all()
    strangers = blocked.keys() - {each.identity for each in contacts}
    if group is not None:
        wanted = group_name(group)
        contacts = [each for each in contacts if wanted in each.groups]
    known = KnownContacts(
        contacts=[_known(each, blocked=each.identity in blocked) for each in contacts],
        blocked=[
            BlockedIdentity(id=str(who), name=name, blocked=True, changed=False)
            for who, name in blocked.items()
            if who in strangers
        ],
    )
    return Outcome(known, _table(known))


@command(app, "contacts show", result=ShownContact)
def show(session: Session, peer: KnownArgument) -> Outcome:
    """Say what is known of a contact."""
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.peers import find_contact

    state = own_state(session)
    return _shown(state, find_contact(peer, state).identity)


@command(app, "contacts remove", result=RemovedContact)
def remove(session: Session, name: NameArgument) -> Outcome:
    """Forget a contact; who is blocked stays so."""
    from wzp_cli.cli.compose import own_state
    from wzp_cli.protocol.names.text import clean

    known = own_state(session).contacts.remove(name)
    name = clean(name)
    text = f"removed: {name}" if known else f"no contact is named {name}"
    return Outcome(RemovedContact(name=name, known=known), text)


@command(app, "contacts block", result=BlockedIdentity)
def block(session: Session, peer: KnownArgument) -> Outcome:
    """Refuse somebody: they can neither call nor ping, and hear that we are offline."""
    from wzp_cli.cli.compose import own_state

    state = own_state(session)
    identity, name = _someone(peer, state)
    changed = state.blocked.add(identity, name)
    return _blocked(identity, name, blocked=True, changed=changed)


@command(app, "contacts unblock", result=BlockedIdentity)
def unblock(session: Session, peer: KnownArgument) -> Outcome:
    """Refuse somebody no longer."""
    from wzp_cli.cli.compose import own_state

    state = own_state(session)
    identity, name = _someone(peer, state)
    changed = state.blocked.remove(identity)
    return _blocked(identity, name, blocked=False, changed=changed)


def _someone(peer: str, state: "State") -> "tuple[Identity, str]":
    """Return whom PEER names, and by which name."""
    from wzp_cli.cli.peers import find_peer
    from wzp_cli.errors import UsageError

    found = find_peer(peer, state)
    if found.identity is None:
        raise UsageError(f"{peer} says where, not who: name a contact or an identity")
    if found.identity == state.keypair.identity:
        raise UsageError("that is your own identity")
    contact = state.contacts.of(found.identity)
    return found.identity, found.name if contact is None else contact.name


def _blocked(
    identity: "Identity", name: str, *, blocked: bool, changed: bool
) -> Outcome:
    shown = BlockedIdentity(
        id=str(identity), name=name, blocked=blocked, changed=changed
    )
    verb = "blocked" if blocked else "not blocked"
    already = "" if changed else ", as before"
    who = f"{name}, {identity}" if name else str(identity)
    return Outcome(shown, f"{verb}{already}: {who}")


def _verified(known: KnownContact) -> str:
    if known.verified:
        return "yes"
    return f"no; together, in a call: wzp id verify {shlex.quote(known.name)}"


def _shown(state: "State", identity: "Identity") -> Outcome:
    contact = state.contacts.of(identity)
    assert contact is not None
    known = _known(contact, blocked=identity in state.blocked.all())
    lines = [
        f"name:         {known.name}",
        f"identity:     {known.id}",
        f"relay:        {known.relay or 'as ours'}",
        f"groups:       {', '.join(known.groups) or 'none'}",
        f"auto-answer:  {_YES_NO[known.auto_answer] or 'as for others'}",
        f"always-relay: {_YES_NO[known.always_relay]}",
        f"verified:     {_verified(known)}",
        f"blocked:      {_YES_NO[known.blocked]}",
    ]
    return Outcome(ShownContact(contact=known), "\n".join(lines))


def _known(contact: "Contact", *, blocked: bool) -> KnownContact:
    return KnownContact(
        name=contact.name,
        id=str(contact.identity),
        short=contact.identity.short,
        relay=None if contact.relay is None else str(contact.relay),
        groups=list(contact.groups),
        auto_answer=contact.auto_answer,
        always_relay=contact.always_relay,
        verified=contact.verified,
        blocked=blocked,
    )


def _table(known: KnownContacts) -> str:
    """One line a person: short identity, name, what holds for them."""
    lines = [
        f"{contact.short}  {contact.name}{_notes(contact)}"
        for contact in known.contacts
    ]
    lines += [
        f"{each.id[4:16]}  {each.name or '-'} (blocked)" for each in known.blocked
    ]
    return "\n".join(lines) or "no contacts; to add one: wzp contacts add NAME PEER"


def _notes(contact: KnownContact) -> str:
    notes = [
        *(["verified"] if contact.verified else []),
        *(["blocked"] if contact.blocked else []),
        *(["always by relay"] if contact.always_relay else []),
        *(["answered at once"] if contact.auto_answer else []),
        *(["never answered at once"] if contact.auto_answer is False else []),
        *([f"groups: {' '.join(contact.groups)}"] if contact.groups else []),
        *([f"at {contact.relay}"] if contact.relay else []),
    ]
    return f" ({', '.join(notes)})" if notes else ""
