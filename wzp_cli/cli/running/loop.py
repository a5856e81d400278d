"""The event loop of a command: asyncio's, but for two things that a fault brings out.

Names are looked up in threads that nobody waits for: a name server that never answers
holds up neither the end of a command nor Ctrl-C (asyncio waits for its own threads).
That no connection can be accepted for want of descriptors is logged once a minute, in
words: asyncio does so a hundred times a second.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from wzp_cli.defaults.program import ACCEPT_WARNING_S

__all__ = ["CommandLoop"]

_NO_ACCEPT = "socket.accept() out of system resource"

_log = logging.getLogger("wzp.loop")


class CommandLoop(asyncio.SelectorEventLoop):
    """The loop; Windows' usual one can't watch a socket for reading."""

    def __init__(self) -> None:
        super().__init__()
        self._warned_at_s = -ACCEPT_WARNING_S
        self.set_exception_handler(lambda _, context: self._tell(context))

    def _tell(self, context: Mapping[str, Any]) -> None:
        if context.get("message") != _NO_ACCEPT:
            self.default_exception_handler(dict(context))
        elif self.time() - self._warned_at_s >= ACCEPT_WARNING_S:
            self._warned_at_s = self.time()
            why = getattr(context.get("exception"), "strerror", "")
            _log.warning("no connection is taken (calls go on): %s", why)

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look a name up; given up, the thread is left to itself."""
        answer: asyncio.Future[list[Any]] = self.create_future()

        def settle(found: list[Any] | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(found or [])

        def look_up() -> None:
            found, error = None, None
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except (OSError, UnicodeError) as wrong:
                error = wrong
            with suppress(RuntimeError):  # the loop is closed
                self.call_soon_threadsafe(settle, found, error)

        threading.Thread(target=look_up, name="wzp-names", daemon=True).start()
        return await answer
