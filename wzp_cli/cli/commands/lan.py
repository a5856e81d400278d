"""`wzp lan`: who is here, on the local network."""

from typing import TYPE_CHECKING

import msgspec

from wzp_cli.cli.command import Outcome, Session, command, command_app

if TYPE_CHECKING:
    from wzp_cli.adapters.disk.state import State
    from wzp_cli.protocol.lan import Neighbour

__all__ = ["LanNeighbour", "LanNeighbours", "app", "lan"]


class LanNeighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is announced: a claim, until a call has proven the key.

    `name`: what they call themselves. `contact`: the name that you gave to this key.
    """

    id: str
    short: str
    name: str
    contact: str | None
    verified: bool
    blocked: bool
    addresses: list[str]


class LanNeighbours(msgspec.Struct, frozen=True, kw_only=True):
    """Who is announced on the networks that we are on, but for ourselves."""

    neighbours: list[LanNeighbour]


app = command_app()


@command(app, "lan", result=LanNeighbours)
async def lan(session: Session) -> Outcome:
    """List who is announced on the local network (wzp listen --lan)."""
    from wzp_cli.adapters.interfaces import interface_addresses
    from wzp_cli.adapters.lan import look_around
    from wzp_cli.cli.compose import own_state

    state = own_state(session)
    own = state.keypair.identity
    seen = [
        _known(each, state)
        for each in await look_around(interface_addresses)
        if each.identity != own
    ]
    return Outcome(LanNeighbours(neighbours=seen), _text(seen))


def _known(neighbour: "Neighbour", state: "State") -> LanNeighbour:
    identity = neighbour.identity
    contact = state.contacts.of(identity)
    return LanNeighbour(
        id=str(identity),
        short=identity.short,
        name=neighbour.name,
        contact=None if contact is None else contact.name,
        verified=contact is not None and contact.verified,
        blocked=identity in state.blocked.all(),
        addresses=[str(address) for address in neighbour.addresses],
    )


def _text(seen: list[LanNeighbour]) -> str:
    if not seen:
        return "Nobody is announced on this LAN. To announce yourself: wzp listen --lan"
    lines = ["On this LAN:"]
    for each in seen:
        lines += [f"  {_who(each)}", f"    wzp call {_called(each)}@lan"]
    if any(each.contact is None for each in seen):
        lines.append(
            "Anybody can call themselves anything: only a contact's key is known."
        )
    return "\n".join(lines)


def _who(each: LanNeighbour) -> str:
    facts = [f"at {each.addresses[0]}", *(["blocked"] if each.blocked else [])]
    if each.contact is not None:
        verified = "" if each.verified else "not "
        return ", ".join([f"{each.contact}, a contact ({verified}verified)", *facts])
    name = f'"{each.name}"' if each.name else "somebody"
    return ", ".join([f"{name}, {each.short}, no contact", *facts])


def _called(each: LanNeighbour) -> str:
    """Return what names them in a shell."""
    if each.contact is None:
        return each.short
    return each.contact if each.contact.isalnum() else each.short
