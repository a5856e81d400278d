"""A relay that says what the test wants."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.world import RELAY, RELAY_HOST, Person, World
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import WzpError
from wzp_cli.protocol.messages import relay

__all__ = ["RogueRelay", "incoming", "rogue_relay", "welcomed"]


class RogueRelay:
    """Takes every client, and answers as it is told to."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.links: list[Link] = []
        self.streams: list[MessageStream[relay.RelayMessage]] = []
        self.heard: list[relay.RelayMessage] = []
        self.welcomes = False
        self.then: Callable[[Link], None] = lambda link: None
        self._endpoint = endpoint

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                link = await self._endpoint.accept()
                self.links.append(link)
                group.create_task(self._serve(link))

    async def _serve(self, link: Link) -> None:
        stream: MessageStream[relay.RelayMessage] = MessageStream(
            link, relay.RelayMessage
        )
        self.streams.append(stream)
        try:
            async for message in stream.messages():
                self.heard.append(message)
                if isinstance(message, relay.Enter) and self.welcomes:
                    stream.send(relay.Welcome(version="1", address="20.1.0.1:5000"))
                    stream.send(relay.Published())
                    self.then(link)
        except WzpError:
            return

    def say(self, *messages: object) -> None:
        """Say messages, or raw bytes, on the newest link."""
        for message in messages:
            if isinstance(message, bytes):
                self.links[-1].send(message)
            else:
                self.streams[-1].send(message)  # type: ignore[arg-type]


@asynccontextmanager
async def rogue_relay(world: World) -> AsyncIterator[RogueRelay]:
    endpoint = await world.open_endpoint(world.net.host(RELAY_HOST), RELAY.port)
    endpoint.accept_relay_clients()
    world.name(RELAY.host, RELAY_HOST)
    hostile = RogueRelay(endpoint)
    world.start(hostile.run())
    yield hostile


async def welcomed(world: World, hostile: RogueRelay) -> Person:
    hostile.welcomes = True
    return await world.person("alice")


def incoming(caller: str) -> relay.Incoming:
    ids = relay.ChannelIds(send=secrets.token_hex(8), receive=secrets.token_hex(8))
    return relay.Incoming(channel=ids, caller=caller)
