"""Whom the user knows, and whom they refuse: two files in the state folder.

    contacts    wzp1... host:port|- [SETTING...] name    one a line; the name goes last
    blocked     wzp1... [name]                           one a line

SETTING is `group:NAME` (any number), `auto-answer:yes|no`, `always-relay:yes` or
`verified:yes`. A name has no ":", so that none passes for a setting or an address.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wzp_cli.adapters.disk.line_files import read_lines, write_lines, writing
from wzp_cli.address import HostPort
from wzp_cli.errors import KeyChanged, UsageError
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.look_alikes import look_alike
from wzp_cli.protocol.names.text import clean

__all__ = ["Blocked", "Contact", "Contacts", "group_name"]

_NO_RELAY: Final = "-"
_YES_NO: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Contact:
    """A name that the user gave to an identity.

    Attributes:
        relay: Where they register.
        groups: In lower case, sorted.
        auto_answer: Take their calls without asking, or never do; None: as of others.
        always_relay: Tell them no address of ours.
        verified: The user has compared the words of this key.
    """

    name: str
    identity: Identity
    relay: HostPort | None = None
    groups: tuple[str, ...] = ()
    auto_answer: bool | None = None
    always_relay: bool = False
    verified: bool = False


class Contacts:
    """The file `contacts`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "contacts"

    def all(self) -> list[Contact]:
        """Return all contacts, in the file's order.

        Raises:
            StateUnusable: The file can't be read, or has a damaged line.
        """
        return read_lines(self._path, _parse_contact)

    def named(self, name: str) -> Contact | None:
        """Return the contact of that name, whatever its case."""
        wanted = clean(name).casefold()
        found = (each for each in self.all() if each.name.casefold() == wanted)
        return next(found, None)

    def of(self, identity: Identity) -> Contact | None:
        """Return the contact with that key; rights of contacts go by this alone."""
        return next((each for each in self.all() if each.identity == identity), None)

    def namesake(self, name: str, identity: Identity) -> str | None:
        """Return the contact as which a stranger's key may be taken by its name.

        None for a contact's own key: that is shown by the name that the user gave it.
        """
        if self.of(identity) is not None:
            return None
        alike = (each.name for each in self.all() if look_alike(each.name, name))
        return next(alike, None)

    def beginning(self, prefix: str) -> list[Contact]:
        """Return the contacts whose identity begins so (with or without "wzp1")."""
        start = "wzp1" + prefix.removeprefix("wzp1")
        return [each for each in self.all() if str(each.identity).startswith(start)]

    def add(self, contact: Contact) -> None:
        """Add a contact, or say other things about one that is known by the same key.

        Raises:
            UsageError: The name is empty, could be an address, or is another's.
            KeyChanged: The name is that of somebody whose key was verified.
            StateUnusable: The file can't be read or written.
        """
        name = clean(contact.name)
        if not name or ":" in name or name.startswith(("wzp1", "#")):
            raise UsageError(f'"{name}" is no name for a contact: choose a plain word.')
        tidy = replace(
            contact,
            name=name,
            relay=None if contact.relay is None else _relay_of(contact.relay),
            groups=tuple(sorted(set(map(group_name, contact.groups)))),
        )
        with writing(self._directory):
            contacts = self.all()
            _check_free(name, contact.identity, contacts)
            others = [old for old in contacts if old.identity != contact.identity]
            self._write([*others, tidy])

    def change(
        self, identity: Identity, how: Callable[[Contact], Contact]
    ) -> Contact | None:
        """Change what is said of a contact; return it as it is now, None if unknown.

        Raises:
            StateUnusable: The file can't be read or written.
        """
        with writing(self._directory):
            contacts = {each.identity: each for each in self.all()}
            if identity in contacts:
                contacts[identity] = how(contacts[identity])
                self._write(list(contacts.values()))
        return contacts.get(identity)

    def remove(self, name: str) -> bool:
        """Drop the contact of that name; return whether there was one.

        Raises:
            StateUnusable: The file can't be read or written.
        """
        with writing(self._directory):
            contact = self.named(name)
            if contact is not None:
                self._write([other for other in self.all() if other != contact])
        return contact is not None

    def _write(self, contacts: list[Contact]) -> None:
        write_lines(self._path, map(_format_contact, contacts))


class Blocked:
    """The file `blocked`: identities that are refused, with a name to remember them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "blocked"

    def all(self) -> dict[Identity, str]:
        """Return who is refused, and each one's name ("": none).

        Raises:
            StateUnusable: The file can't be read, or has a damaged line: nobody may be
                let in because of it.
        """
        return dict(read_lines(self._path, _parse_blocked))

    def add(self, identity: Identity, name: str = "") -> bool:
        """Refuse an identity from now on; return whether that is new.

        Raises as `all`.
        """
        with writing(self._directory):
            blocked = self.all()
            is_new = identity not in blocked
            if is_new:
                self._write(blocked | {identity: clean(name)})
        return is_new

    def remove(self, identity: Identity) -> bool:
        """Refuse it no longer; return whether it was refused. Raises as `all`."""
        with writing(self._directory):
            blocked = self.all()
            was = blocked.pop(identity, None) is not None
            if was:
                self._write(blocked)
        return was

    def _write(self, blocked: dict[Identity, str]) -> None:
        lines = (f"{identity} {name}".rstrip() for identity, name in blocked.items())
        write_lines(self._path, lines)


def group_name(text: str) -> str:
    """Return a group's name as it is kept: one plain word, in lower case.

    Raises:
        UsageError: It is none.
    """
    name = clean(clean(text).casefold())  # which may make it longer
    if not name or " " in name or ":" in name:
        raise UsageError(f'"{name}" is no name for a group: choose one plain word.')
    return name


def _check_free(name: str, identity: Identity, contacts: list[Contact]) -> None:
    """Check that a name is nobody else's. Raises as `Contacts.add`."""
    for other in contacts:
        if other.name.casefold() != name.casefold() or other.identity == identity:
            continue
        if other.verified:
            raise KeyChanged(
                f'The verified contact "{other.name}" has another key'
                f" ({other.identity.short}) than this one ({identity.short}). If they"
                f' say that they have changed it: wzp contacts remove "{other.name}",'
                " then add and verify them anew."
            )
        raise UsageError(
            f'"{name}" is somebody else already: wzp contacts remove "{name}"'
        )


def _relay_of(relay: HostPort) -> HostPort:
    host = relay.host.strip().lower()
    if not host or len(host.split()) > 1 or host.startswith("#"):
        raise UsageError(f"{relay.host!a} is no relay's address.")
    return relay._replace(host=host)


def _format_contact(contact: Contact) -> str:
    settings = [f"group:{group}" for group in contact.groups]
    if contact.auto_answer is not None:
        settings.append(f"auto-answer:{'yes' if contact.auto_answer else 'no'}")
    settings += ["always-relay:yes"] if contact.always_relay else []
    settings += ["verified:yes"] if contact.verified else []
    relay = str(contact.relay or _NO_RELAY)
    return " ".join([str(contact.identity), relay, *settings, contact.name])


def _parse_contact(line: str) -> Contact:
    identity, relay, *words = line.split()
    settings: dict[str, list[str]] = {}
    while words and ":" in words[0]:
        key, _, value = words.pop(0).partition(":")
        settings.setdefault(key, []).append(value)
    name = clean(" ".join(words))
    if not name or ":" in name.split()[0]:
        raise ValueError("no name, or one that would be read as a setting")
    groups = settings.pop("group", [])
    flags = {key: _only(values) for key, values in settings.items()}
    contact = Contact(
        name,
        Identity.parse(identity),
        None if relay == _NO_RELAY else HostPort.parse_relay(relay),
        tuple(map(group_name, groups)),
        auto_answer=flags.pop("auto-answer", None),
        always_relay=flags.pop("always-relay", False),
        verified=flags.pop("verified", False),
    )
    if flags:
        raise ValueError("a setting that is none")
    return contact


def _only(values: list[str]) -> bool:
    """Return what a setting says, which may be said once."""
    (value,) = values
    if value not in _YES_NO:
        raise ValueError("neither yes nor no")
    return _YES_NO[value]


def _parse_blocked(line: str) -> tuple[Identity, str]:
    identity, *words = line.split()
    return Identity.parse(identity), clean(" ".join(words))
