"""Being announced on the local network, while a command runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wzp_cli.adapters.disk.state import State
from wzp_cli.adapters.interfaces import interface_addresses
from wzp_cli.adapters.lan import announced, need_zeroconf
from wzp_cli.cli.command import Session
from wzp_cli.cli.settings import Settings
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import UsageError

__all__ = ["announcing", "wants_lan"]


def wants_lan(settings: Settings, flag: bool | None, *, dialled: bool) -> bool:
    """Return whether to be announced.

    Args:
        settings: Of this run.
        flag: --lan as it was said.
        dialled: Whether strangers may dial the port.

    Raises:
        EnvironmentFault: The extra `lan` is not installed.
        UsageError: It was also said that our addresses are told to nobody.
    """
    if not (settings.said.lan if flag is None else flag):
        return False
    if not dialled:
        raise UsageError("--lan tells where to dial, and --direct off lets nobody")
    if settings.said.privacy == "always-relay":
        raise UsageError(
            "--lan tells this machine's addresses, and privacy = always-relay does not"
            " want that; say --no-lan"
        )
    need_zeroconf()
    return True


@asynccontextmanager
async def announcing(
    session: Session, state: State, endpoint: Endpoint
) -> AsyncIterator[None]:
    """Be announced while the block runs, under the name that others are shown."""
    name = session.settings.said.name or ""
    identity, port = state.keypair.identity, endpoint.local.port
    async with announced(identity, name, port, interface_addresses, session.report):
        yield
