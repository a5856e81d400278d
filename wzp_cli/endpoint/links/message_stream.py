"""Signalling messages over a link's one stream."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from wzp_cli.defaults.program import MAX_MESSAGE_BEFORE_HELLO_BYTES, MAX_MESSAGE_BYTES
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.messages.signal import Message, MessageDecoder, Unknown, encode

__all__ = ["MessageStream"]

M = TypeVar("M", bound=Message)


class MessageStream(Generic[M]):
    """Sends and receives the messages of one family. One reader at a time.

    A peer that breaks the framing loses the link; a message of an unknown type is
    passed over, so a newer peer never hangs up an older one.
    """

    def __init__(self, link: Link, family: Any) -> None:
        self.link = link
        self._decoder: MessageDecoder[M] = MessageDecoder(
            family, limit_bytes=MAX_MESSAGE_BEFORE_HELLO_BYTES
        )
        self._ready: deque[M] = deque()

    def trust(self) -> None:
        """The other side is known: take messages of full length from now on."""
        self._decoder.limit_bytes = MAX_MESSAGE_BYTES

    def send(self, message: Message) -> None:
        """Send one message.

        Raises:
            ConnectionLost: The link is over.
        """
        self.link.send(encode(message))

    async def receive(self) -> M:
        """Return the next message of a known type.

        Raises:
            ConnectionLost, IdentityError, VersionMismatch: The link is over.
            RemoteProtocolError: The peer broke the framing; the link is closed.
        """
        while not self._ready:
            chunk = await self.link.read()
            if not chunk:
                raise self.link.failure()
            try:
                for message in self._decoder.feed(chunk):
                    if not isinstance(message, Unknown):
                        self._ready.append(message)
            except RemoteProtocolError as error:
                self.link.refuse(str(error))
                raise
        return self._ready.popleft()

    async def messages(self) -> AsyncIterator[M]:
        """Yield messages for ever. Raises as `receive`."""
        while True:
            yield await self.receive()

    async def close(self, last: Message | None = None, reason: str = "") -> None:
        """Say `last`, see it acknowledged if that is quick, and close the link."""
        await self.link.close(reason, encode(last) if last is not None else b"")
