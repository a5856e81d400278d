"""Two peers on one end-to-end link, from hello to hang-up."""

import asyncio
from contextlib import suppress

from wzp_cli import __version__
from wzp_cli.defaults.program import HELLO_TIMEOUT_S
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import (
    ConnectionLost,
    LocalProtocolError,
    RemoteProtocolError,
    VersionMismatch,
)
from wzp_cli.protocol.messages.peer import (
    QUICK_REPORTS,
    REDUNDANCY,
    Goodbye,
    Hello,
    PeerMessage,
)
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.text import clean

__all__ = ["Conversation", "greet"]


class Conversation:
    """What two peers say to each other. Rights follow `peer`, which the link proved.

    Attributes:
        peer: Who is at the other end.
        name: What they call themselves: cleaned, not verified.
        features: What they understand beyond the first version.
    """

    def __init__(self, stream: MessageStream[PeerMessage], hello: Hello) -> None:
        self.link = stream.link
        self.peer: Identity = stream.link.identity
        self.name = clean(hello.name)
        self.features = frozenset(hello.features)
        self._stream = stream

    def say(self, message: Message) -> None:
        """Send one message.

        Raises:
            ConnectionLost: The link is over.
        """
        self._stream.send(message)

    def try_to_say(self, message: Message) -> None:
        """Send one message, if the link still is there."""
        with suppress(ConnectionLost):
            self._stream.send(message)

    async def heard(self) -> PeerMessage:
        """Return the next message of a known type.

        Raises:
            ConnectionLost: The link is over.
            RemoteProtocolError: The peer broke the rules; the link is closed.
        """
        return await self._stream.receive()

    async def leave(self, last: Message | None = None) -> None:
        """Say a last word and close the link."""
        await self._stream.close(last, reason="bye")

    async def hang_up(self, reason: str) -> None:
        """Say goodbye and close the link."""
        await self.leave(Goodbye(reason=reason))


async def greet(link: Link, name: str) -> Conversation:
    """Exchange hellos; the link counts as up when this returns.

    Raises:
        ConnectionLost: No hello came, or the link ended.
        RemoteProtocolError: Something else came first; the link is closed.
        VersionMismatch: The peer could not take our sound.
    """
    stream: MessageStream[PeerMessage] = MessageStream(link, PeerMessage)
    features = (REDUNDANCY, QUICK_REPORTS)
    ours = Hello(version=__version__, name=name, features=features)
    try:
        if link.dialled:
            stream.send(ours)
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            hello = await stream.receive()
        if not isinstance(hello, Hello):
            raise RemoteProtocolError("the first message was no hello")
        if not link.dialled:
            stream.send(ours)
        if not link.takes_sound:
            raise VersionMismatch("the peer takes no DATAGRAM frames")
        stream.trust()
        return Conversation(stream, hello)
    except TimeoutError:
        link.refuse("no hello")
        raise ConnectionLost("the peer said no hello") from None
    except (RemoteProtocolError, LocalProtocolError, VersionMismatch) as error:
        link.refuse(str(error))
        raise
    except BaseException:
        link.abort("not wanted any more")
        raise
