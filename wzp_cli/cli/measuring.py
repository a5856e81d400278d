"""Measuring once or again and again: through the wzp that runs, or by ourselves."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from msgspec import structs

from wzp_cli import __version__
from wzp_cli.adapters.relay_lists import read_token
from wzp_cli.adapters.state import State
from wzp_cli.cli.asking import asked_running
from wzp_cli.cli.command import Session
from wzp_cli.cli.compose import endpoint_of
from wzp_cli.cli.nat.document import DetectedNat
from wzp_cli.cli.settings import Settings
from wzp_cli.cli.steering import measured
from wzp_cli.defaults import DETECT_TIMEOUT_S, PUBLIC_STUN_SERVERS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import (
    ControlSilent,
    ControlUnknown,
    RemoteProtocolError,
    UsageError,
)
from wzp_cli.events import Hello, Warned
from wzp_cli.protocol.control_messages import AskDetectNat, NamedServer

__all__ = ["Measuring", "measurement"]


def measurement(
    settings: Settings, *, portmap: bool, public_stun: bool | None = None
) -> AskDetectNat:
    """Return what to measure.

    Args:
        settings: The command's, with its --relay and --stun.
        portmap: Ask the router, too.
        public_stun: --public-stun as it was said.

    Raises:
        UsageError: There is nobody to ask.
        EnvironmentFault: The file with the relays' token can't be read.
    """
    servers, public = _named_servers(settings), _public_servers(settings, public_stun)
    if not (servers or public):
        raise UsageError("nobody to ask; name a relay (--relay) or two (--stun)")
    token_file = settings.relay_token_file
    return AskDetectNat(
        servers=servers,
        timeout_s=settings.timeout_s or DETECT_TIMEOUT_S,
        portmap=portmap,
        relay_token="" if token_file is None else read_token(token_file),
        public_stun=public,
    )


def _named_servers(settings: Settings) -> list[NamedServer]:
    relays = [NamedServer(name=str(name), kind="relay") for name in settings.relays]
    servers = [NamedServer(name=str(name), kind="stun") for name in settings.stun or ()]
    return relays + servers


def _public_servers(settings: Settings, flag: bool | None) -> tuple[str, ...]:
    """Return whom to ask where too few answer: nobody, if that is not wanted."""
    wanted = settings.said.public_stun if flag is None else flag
    return () if wanted is False else PUBLIC_STUN_SERVERS


class Measuring:
    """Measures the NAT as often as it is asked to; its socket stays the same one.

    Where a wzp runs on this state directory, its socket is measured: unless --port asks
    for another one, or it does not answer.
    """

    def __init__(self, session: Session, state: State, request: AskDetectNat) -> None:
        self._session = session
        self._state = state
        before = state.preferred_relay
        self._request = structs.replace(request, preferred_relay=before)
        self._stack = AsyncExitStack()
        self._endpoint: Endpoint | None = None

    async def __aenter__(self) -> Self:
        identity = str(self._state.keypair.identity)
        self._session.report(Hello(id=identity, version=__version__))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def measure(self) -> DetectedNat:
        """Measure once.

        Raises:
            ControlBusy: The running wzp measures for somebody else.
            KeyChanged: A relay shows another key than the pinned one.
        """
        found = None
        if self._session.settings.port is None:
            found = await self._through_running()
        found = found or await self._through_own()
        if found.preferred_relay not in (None, self._request.preferred_relay):
            self._state.preferred_relay = found.preferred_relay
        return found

    async def _through_running(self) -> DetectedNat | None:
        try:
            return await asked_running(
                self._state,
                self._request,
                DetectedNat,
                self._session.report,
                patience_s=2 * self._request.timeout_s,
            )
        except (ControlSilent, ControlUnknown, RemoteProtocolError) as error:
            why = "the wzp that runs on this state directory can't measure"
            message = f"{why}: {error}" if str(error) else why
            self._session.report(Warned(code=error.code, message=message))
            return None

    async def _through_own(self) -> DetectedNat:
        if self._endpoint is None:
            opening = endpoint_of(self._session, self._state)
            self._endpoint = await self._stack.enter_async_context(opening)
        report, pins = self._session.report, self._state.known_relays
        return await measured(self._endpoint, pins, self._request, report)
