"""What we have asked of a relay and wait for: channels to somebody's devices."""

import asyncio
import secrets

from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import RELAY_ANSWER_TIMEOUT_S
from wzp_cli.errors import (
    AccessRefused,
    ConnectionLost,
    PeerOffline,
    RelayBusy,
    RelayUnreachable,
    WzpError,
)
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.services.relays.session import RelaySession

__all__ = ["RelayRequests"]


class RelayRequests:
    """The requests to one relay that are not answered yet."""

    def __init__(self, server: HostPort) -> None:
        """Take what the user calls the relay."""
        self._relay = server
        self._waiting: dict[str, asyncio.Future[list[relay.Device]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def connect(
        self, target: Identity, session: RelaySession
    ) -> list[relay.Device]:
        """Return a channel to each device of `target`, as the relay tells them.

        Raises:
            AccessRefused, RelayBusy: It does not do that for us, or not now.
            PeerOffline: `target` has none here, or does not want us to know.
            RelayUnreachable: The relay is lost, or did not answer.
        """
        request = secrets.token_hex(8)
        answer: asyncio.Future[list[relay.Device]] = (
            asyncio.get_running_loop().create_future()
        )
        self._waiting[request] = answer
        try:
            session.stream.send(relay.Connect(request=request, target=str(target)))
            async with asyncio.timeout(RELAY_ANSWER_TIMEOUT_S):
                return await answer
        except (TimeoutError, ConnectionLost) as error:
            raise RelayUnreachable(f"{self._relay} did not answer") from error
        finally:
            del self._waiting[request]

    def answer(self, message: relay.Connected) -> None:
        """Take the relay's answer to one of them."""
        answer = self._waiting.get(message.request)
        if answer is not None and not answer.done():
            answer.set_result(message.devices)

    def refuse(self, message: relay.Refused) -> None:
        """Take the relay's refusal of one of them."""
        self._fail(message.request, self._as_error(message.reason))

    def fail_all(self) -> None:
        """Fail all of them: the relay is lost."""
        for request in self._waiting:
            self._fail(request, ConnectionLost("the relay is lost"))

    def _fail(self, request: str, error: WzpError) -> None:
        answer = self._waiting.get(request)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _as_error(self, reason: str) -> WzpError:
        match reason:
            case "access":
                return AccessRefused(str(self._relay))
            case "limit" | "draining" | "fleet":
                return RelayBusy(f"{self._relay}: {reason}")
            case _:
                return PeerOffline(f"the peer is not registered at {self._relay}")
