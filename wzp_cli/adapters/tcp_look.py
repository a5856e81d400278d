"""What TCP can tell where no UDP comes back; fits `ports.LookByTcp`."""

import asyncio
from contextlib import suppress
from typing import Final

from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import PORTAL_CHECK_HOST, PORTAL_CHECK_PATH, TCP_LOOK_S

__all__ = ["TcpLook"]

_HTTP_PORT: Final = 80
_NO_CONTENT: Final = 204
_LINE_BYTES: Final = 4096


class TcpLook:
    """Connects, and asks one page that is known to be empty."""

    def __init__(self, portal_check: tuple[str, int] | None = None) -> None:
        """Take where the empty page is; None: portals are not looked for."""
        self._portal_check = portal_check

    @classmethod
    def on_the_web(cls) -> "TcpLook":
        """Return one that asks the public page."""
        return cls((PORTAL_CHECK_HOST, _HTTP_PORT))

    async def reaches(self, address: Address) -> bool:
        """Whether a host answers; that it refuses the connection is an answer, too."""
        try:
            async with asyncio.timeout(TCP_LOOK_S):
                _, writer = await asyncio.open_connection(address.host, address.port)
        except ConnectionRefusedError:
            return True
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def captive_portal(self) -> bool | None:
        """Whether somebody else answers for the empty page; None: nobody does."""
        if self._portal_check is None:
            return None
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(TCP_LOOK_S):
                return await self._status(*self._portal_check) != _NO_CONTENT
        return None

    async def _status(self, host: str, port: int) -> int:
        reader, writer = await asyncio.open_connection(host, port, limit=_LINE_BYTES)
        try:
            asked = f"GET {PORTAL_CHECK_PATH} HTTP/1.1\r\nHost: {PORTAL_CHECK_HOST}"
            writer.write(f"{asked}\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
            return int(line.split()[1])
        except IndexError as error:
            raise ValueError("not HTTP") from error
        finally:
            writer.close()
