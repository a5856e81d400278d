"""Addresses of a name that one socket can reach, as the system finds them."""

import asyncio
import socket

from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.endpoint import NAME_TIMEOUT_S
from wzp_cli.errors import NameNotFound

__all__ = ["resolve"]


async def resolve(server: HostPort, *, v6: bool) -> list[Address]:
    """Return the addresses of a server, best first; `v6`: of both families.

    Raises:
        NameNotFound: It has none.
    """
    family = socket.AF_UNSPEC if v6 else socket.AF_INET
    try:
        async with asyncio.timeout(NAME_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                server.host, server.port, family=family, type=socket.SOCK_DGRAM
            )
    except TimeoutError as error:
        message = f"this machine's DNS gave no answer about {server.host}"
        raise NameNotFound(message) from error
    except (OSError, UnicodeError) as error:
        raise NameNotFound(f"no address was found for {server.host}") from error
    return list(dict.fromkeys(Address(*entry[4][:2]) for entry in found))
