"""Requests between the relays of a fleet, over NATS; fits `ports.FleetBus`.

The only file that knows nats-py. It connects, and connects again, for ever: a fleet
whose NATS is away is a number of single relays. What was asked meanwhile is not kept.
"""

import asyncio
import importlib.util
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.relay import (
    FLEET_ANSWER_S,
    FLEET_FLUSH_S,
    FLEET_GRACE_S,
    FLEET_MAX_ANSWERS,
    FLEET_PING_S,
    FLEET_RECONNECT_S,
)
from wzp_cli.errors import ConfigError, ConnectionLost, EnvironmentFault

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["BusWords", "NatsBus", "open_bus"]

AnswerQuestion = Callable[[bytes], Awaitable[bytes]]

_log = logging.getLogger("wzp.fleet")
_NOBODY = "503"
_JWT_FILE = "-----BEGIN NATS USER JWT-----"


@dataclass(frozen=True, slots=True)
class BusWords:
    """Where NATS is, and how we show who we are.

    Attributes:
        servers: nats:// or tls:// URLs, without secrets in them.
        ca: Certificates that NATS' own must be signed by.
        creds: A NATS credentials file, or one line: a token, or "USER:PASSWORD".
    """

    servers: Sequence[str]
    ca: Path | None = None
    creds: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return what nats-py takes.

        Raises:
            ConfigError: A URL or a file is not right.
        """
        for server in self.servers:
            scheme, _, rest = server.partition("://")
            if scheme not in ("nats", "tls") or not rest or "@" in rest:
                raise ConfigError(
                    f"cluster {server.rpartition('@')[2]}: write nats://HOST[:PORT] or"
                    " tls://HOST[:PORT], and secrets into a file: --cluster-creds"
                )
        return {"servers": list(self.servers), **self._tls(), **self._secrets()}

    def _tls(self) -> dict[str, Any]:
        if self.ca is None:
            return {}
        try:
            return {"tls": ssl.create_default_context(cafile=str(self.ca))}
        except OSError as error:  # ssl.SSLError is one
            why = error.strerror or str(error)
            raise ConfigError(f"cluster-ca {self.ca}: {why}") from error

    def _secrets(self) -> dict[str, Any]:
        if self.creds is None:
            return {}
        try:
            text = self.creds.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ConfigError(f"cluster-creds {self.creds}: {why}") from error
        if text.startswith(_JWT_FILE):
            return {"user_credentials": str(self.creds)}
        user, colon, password = text.partition(":")
        return {"user": user, "password": password} if colon else {"token": text}


@asynccontextmanager
async def open_bus(words: BusWords) -> AsyncIterator["NatsBus"]:
    """Yield the bus, which connects in the background, until the block is left.

    Raises:
        ConfigError: A URL or a file is not right.
        EnvironmentFault: nats-py is not installed.
    """
    if importlib.util.find_spec("nats") is None:
        raise EnvironmentFault("--cluster needs more: pip install 'wzp[cluster]'")
    from nats.aio.client import Client

    client = Client()
    bus = NatsBus(client)
    options = words.options()
    async with task_group() as group:
        connecting = group.create_task(_connect(bus, client, options))
        try:
            yield bus
        finally:
            while not connecting.done():  # see _heeding_cancellation
                connecting.cancel()
                await asyncio.wait([connecting], timeout=FLEET_RECONNECT_S)
            with suppress(Exception):  # it may be in the middle of anything
                await client.close()


async def _connect(bus: "NatsBus", client: "Client", options: dict[str, Any]) -> None:
    async def lost() -> None:
        _log.warning("NATS is lost")

    async def found() -> None:
        _log.warning("NATS is found again")

    async def failed(error: Exception) -> None:
        _log.info("NATS: %r", error)

    try:
        await client.connect(
            **options,
            name="wzp relay",
            no_echo=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=FLEET_RECONNECT_S,
            ping_interval=FLEET_PING_S,
            max_outstanding_pings=2,
            disconnected_cb=lost,
            reconnected_cb=found,
            error_cb=failed,
        )
    except ValueError as error:  # asyncio's, of a line without an end
        raise EnvironmentFault(
            f"what --cluster names does not speak NATS ({error})"
        ) from error
    _log.info("NATS is connected")
    await bus.connected()


class NatsBus:
    """One connection to NATS."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._connected = False
        self._all_told = False  # what was held before NATS was there
        self._answers: dict[str, AnswerQuestion] = {}
        self._held: dict[str, Subscription] = {}

    @property
    def up(self) -> bool:
        """Whether NATS can be asked right now."""
        return self._all_told and self._client.is_connected

    async def ask(self, subject: str, question: bytes) -> list[bytes]:
        """Ask whoever holds `subject`; see `ports.FleetBus`."""
        from nats import errors

        if not self.up:
            raise ConnectionLost("NATS is lost")
        with _heeding_cancellation():
            try:
                inbox = self._client.new_inbox()
                answers = await self._client.subscribe(inbox)
                try:
                    await self._client.publish(subject, question, reply=inbox)
                    return await _gathered(answers)
                finally:
                    await answers.unsubscribe()
            except errors.Error as error:
                raise ConnectionLost(f"NATS: {error}") from error

    async def connected(self) -> None:
        """NATS is there for the first time; later, nats-py itself says all again."""
        self._connected = True
        for subject, answer in list(self._answers.items()):  # it changes meanwhile
            if self._answers.get(subject) is answer and subject not in self._held:
                await self._subscribe(subject, answer)
        self._all_told = True

    async def hold(self, subject: str, answer: AnswerQuestion) -> None:
        """Answer those who ask `subject`, from when NATS knows (or has come back)."""
        self._answers[subject] = answer
        if self._connected:
            await self._subscribe(subject, answer)

    async def _subscribe(self, subject: str, answer: AnswerQuestion) -> None:
        from nats import errors

        async def on_question(message: "Msg") -> None:
            with suppress(errors.Error):  # who asked is silent, or gone
                await message.respond(await answer(message.data))

        with _heeding_cancellation(), suppress(errors.Error):
            self._held[subject] = await self._client.subscribe(subject, cb=on_question)

    async def drop(self, subject: str) -> None:
        """Undo `hold`."""
        from nats import errors

        self._answers.pop(subject, None)
        held = self._held.pop(subject, None)
        if held is not None:
            with _heeding_cancellation(), suppress(errors.Error):
                await held.unsubscribe()

    async def settle(self) -> None:
        """Return when NATS knows what we hold, or can't be told just now."""
        from nats import errors

        if self.up:
            # nats-py writes a ping past what still waits to be written: the first
            # round trip sees that out, the second one is the answer to it.
            with _heeding_cancellation(), suppress(errors.Error, TimeoutError):
                await self._client.flush(FLEET_FLUSH_S)
                await self._client.flush(FLEET_FLUSH_S)


@contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """Around what waits for NATS: who was cancelled in there is so afterwards.

    Before Python 3.12, asyncio.wait_for forgets a cancellation where the awaited thing
    happens in the same turn of the loop; nats-py waits with it.
    """
    try:
        yield
    finally:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


async def _gathered(answers: "Subscription") -> list[bytes]:
    """Return the answers: none if nobody holds it; else the first, and those near it.

    Raises:
        ConnectionLost: There was none in time, though somebody holds it.
    """
    gathered: list[bytes] = []
    now = asyncio.get_running_loop().time
    wait_s, until_s = FLEET_ANSWER_S, now() + FLEET_ANSWER_S
    while True:
        try:
            message = await answers.next_msg(timeout=wait_s)
        except TimeoutError:
            if not gathered:
                raise ConnectionLost("the fleet is silent") from None
            return gathered
        if message.headers and message.headers.get("Status") == _NOBODY:
            return gathered
        gathered.append(message.data)
        wait_s = FLEET_GRACE_S
        if now() > until_s or len(gathered) >= FLEET_MAX_ANSWERS:
            return gathered  # nobody may keep us here by answering for ever
