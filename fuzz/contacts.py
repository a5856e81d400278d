"""The files of people, edited by hand: read, or refused naming the line; never lost.

The first byte says which file. Identities are long, so one may be named by a digit.
"""

import re
from pathlib import Path

from fuzz._folder import new_folder
from fuzz._script import Script
from wzp_cli.adapters.disk.contacts import Blocked, Contacts
from wzp_cli.errors import StateUnusable, UsageError
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.text import clean

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 400
_PEOPLE = [str(Keypair.from_seed(bytes([n]) * 32).identity) for n in range(4)]
_FOLDER = new_folder()
_CONTACTS, _BLOCKED = Contacts(Path(_FOLDER.name)), Blocked(Path(_FOLDER.name))

SEEDS = (
    b"\0# mine\n@0 relay.example:4433 group:work auto-answer:yes Bob B.\n\n@1 - Eve\n",
    b"\0@0 - always-relay:yes verified:yes Al\xc3\xacce\n@2 [2001:db8::1]:1 x\n",
    b"\0@0 - group:\xc4\xb0x a:b\r\n@0 - same\n@1 - BOB\n@2 - bob\n",
    b"\1@0 Mallory\n@1\n#x\n",
    b"\0wzp1abc - x\n@3 -\n",
)


def one(data: bytes) -> None:
    """Read one file; change one thing of it."""
    script = Script(data)
    blocked = script.byte() % 2
    named = re.sub(rb"@([0-3])", lambda m: _PEOPLE[int(m[1])].encode(), script.rest())
    path = Path(_FOLDER.name) / ("blocked" if blocked else "contacts")
    path.write_bytes(named)
    try:
        _use_blocked() if blocked else _use_contacts()
    except StateUnusable as error:
        assert path.name in str(error)
        assert path.read_bytes() == named, "a damaged file was written"


def _use_blocked() -> None:
    before = _BLOCKED.all()
    assert all(name == clean(name) for name in before.values())


def _use_contacts() -> None:
    """What was read, written anew, is the same; and others stay as they are."""
    before = _CONTACTS.all()
    assert len({each.identity for each in before}) == len(before)
    if not before:
        return
    one = before[0]
    assert one.name == clean(one.name) != ""
    _CONTACTS.change(one.identity, lambda contact: contact)
    assert _CONTACTS.all() == before
    try:
        _CONTACTS.add(one)
    except UsageError:
        return
    after = _CONTACTS.all()
    assert {each.identity: each.name for each in after} == {
        each.identity: each.name for each in before
    }
