"""`wzp register`: the address at which the one socket is seen from outside."""

import asyncio
from typing import Annotated

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption

__all__ = ["Registered", "app", "register"]


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """Where we are. `reflexive` later accepts direct dials: it is the same port."""

    id: str
    port: int
    reflexive: str
    relay: str
    relay_id: str


app = command_app()


@command(app, "register", result=Registered, stream="watch")
async def register(
    session: Session,
    relay: RelayOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and tell when it changes.")
    ] = False,
) -> Outcome | None:
    """Print the address that others reach this machine's socket at."""
    from wzp_cli.cli.compose import endpoint_of, own_state, registered
    from wzp_cli.cli.control.steering import steered, watched

    session, told = watched(session, "register")
    settings = session.settings.with_servers(relay=relay)
    state = own_state(session)
    async with (
        endpoint_of(session, state) as endpoint,
        registered(
            session, state, endpoint, settings.relays, publishes=False
        ) as registration,
    ):
        if watch:
            async with steered(told, state, endpoint):
                await asyncio.Event().wait()
        found = Registered(
            id=str(state.keypair.identity),
            port=endpoint.local.port,
            reflexive=str(registration.reflexive),
            relay=str(registration.relay),
            relay_id=str(registration.relay_identity),
        )
    return Outcome(found, found.reflexive)
