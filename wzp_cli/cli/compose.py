"""Where the house is put together: the endpoint opened, adapters given to services."""

import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

from wzp_cli import __version__
from wzp_cli.adapters.interfaces import interface_addresses
from wzp_cli.adapters.sound import check_words, open_codec, open_sound
from wzp_cli.adapters.state import State, open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.errors import (
    NameNotFound,
    RelayUnreachable,
    RequirementNotMet,
    UsageError,
)
from wzp_cli.events import Bound, Ended, Hello, Warned
from wzp_cli.ports import Codec, OpenSound
from wzp_cli.protocol.identity import Identity
from wzp_cli.protocol.ticket import Ticket
from wzp_cli.services.registration import Registration, register
from wzp_cli.services.talk import CallOutcome

__all__ = [
    "Peer",
    "SoundWords",
    "ended",
    "endpoint_of",
    "find_interfaces",
    "find_peer",
    "keep_open",
    "open_call_codec",
    "own_state",
    "registered",
    "required_path",
    "sound_opener",
]

find_interfaces = interface_addresses


def own_state(session: Session) -> State:
    """Return this user's state folder."""
    return open_state(session.settings.state_dir)


@asynccontextmanager
async def endpoint_of(session: Session, state: State) -> AsyncIterator[Endpoint]:
    """Open the one socket on the port that was given, or on the remembered one.

    Raises:
        PortInUse: --port names a port that another program holds.
    """
    identity = str(state.keypair.identity)
    session.report(Hello(id=identity, version=__version__))
    with _port(session, state) as bind:
        async with open_endpoint(state.keypair, bind, session.report) as endpoint:
            port = endpoint.local.port
            hosts = [each.host for each in find_interfaces()]
            session.report(Bound(port=port, addresses=hosts))
            yield endpoint


@contextmanager
def _port(session: Session, state: State) -> Iterator[Bind]:
    wanted = session.settings.port
    if wanted is not None:
        yield Bind(wanted, required=True)
        return
    with state.claim_port() as first:
        if not first:
            message = "another wzp has this state directory's port: using any other"
            session.report(Warned(code="second_process", message=message))
        yield Bind(state.port if first else 0)


@asynccontextmanager
async def registered(
    session: Session,
    state: State,
    endpoint: Endpoint,
    relays: tuple[HostPort, ...],
    *,
    publishes: bool,
) -> AsyncIterator[Registration]:
    """Register at the first of `relays` that answers.

    Raises:
        UsageError: There is none to try.
        RelayUnreachable, NameNotFound: None answers; tells of the last.
    """
    if not relays:
        raise UsageError("no relay is known; name one: --relay HOST")
    for relay in relays:
        context = register(
            endpoint, relay, state.known_relays, session.report, publishes=publishes
        )
        try:
            registration = await context.__aenter__()
        except (RelayUnreachable, NameNotFound) as error:
            if relay is relays[-1]:
                raise
            session.report(Warned(code=error.code, message=str(error)))
            continue
        break
    try:
        yield registration
    except BaseException:
        if not await context.__aexit__(*sys.exc_info()):
            raise
    else:
        await context.__aexit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call, as the user named them."""

    identity: Identity | None
    relay: HostPort | None = None
    direct: HostPort | None = None


def find_peer(text: str, state: State) -> Peer:
    """Read PEER: a contact's name, an identity, a ticket, or host:port.

    Raises:
        UsageError: It is none of these.
        IdentityError: A ticket that is not valid.
    """
    contact = state.contacts.named(text)
    if contact is not None:
        return Peer(contact.identity, contact.relay)
    if text.startswith("wzp:"):
        ticket = Ticket.parse(text, time.time())  # noqa: TID251 - it expires by date
        return Peer(ticket.identity, ticket.relay)
    if ":" not in text and text.startswith("wzp1"):
        return Peer(Identity.parse(text))
    try:
        return Peer(None, direct=HostPort.parse(text))
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no contact, identity, ticket or host:port"
        ) from error


@dataclass(frozen=True, slots=True)
class SoundWords:
    """--in and --out, checked."""

    source: str
    sink: str

    @classmethod
    def choose(
        cls, session: Session, source: str | None, sink: str | None
    ) -> "SoundWords":
        """Return what was said, else microphone and speaker.

        Raises:
            UsageError: A word is none that --in or --out takes.
        """
        said = session.settings.said
        words = cls(source or said.source or "mic", sink or said.sink or "speaker")
        check_words(words.source, words.sink)
        if words.sink == "-" and session.settings.json:
            raise UsageError(
                "--json and --out - both want standard output: say --events FILE"
            )
        return words

    @property
    def hears(self) -> bool:
        """Whether a microphone is opened."""
        return self.source.partition(":")[0] == "mic"


def sound_opener(words: SoundWords) -> OpenSound:
    """Return what opens the sound for one call."""
    return lambda: open_sound(words.source, words.sink)


@asynccontextmanager
async def keep_open(words: SoundWords) -> AsyncIterator[OpenSound]:
    """Open the sound now, so that a missing device is told before anybody is rung."""
    async with open_sound(words.source, words.sink) as sound:
        yield lambda: nullcontext(sound)


def open_call_codec(session: Session) -> Codec:
    """Return the codec for one call, with a warning where it is not the best."""
    codec, notice = open_codec()
    if notice is not None:
        session.report(Warned(code="codec", message=notice))
    return codec


def ended(outcome: CallOutcome) -> Ended:
    """Return a call's outcome as the last event of the command."""
    quality = outcome.quality
    return Ended(
        ok=True,
        exit=0,
        path=outcome.path,
        paths=outcome.paths,
        setup_ms=outcome.setup_ms,
        first_audio_ms=outcome.first_audio_ms,
        time_to_direct_ms=outcome.time_to_direct_ms,
        why_not_direct=outcome.why_not_direct,
        remote=outcome.remote,
        peer=outcome.peer,
        frames=outcome.frames,
        rtt_ms=outcome.rtt_ms,
        jitter_ms=round(quality.jitter_ms, 2),
        buffer_ms=round(quality.buffer_ms, 1),
        mos_est=None if quality.mos_est is None else round(quality.mos_est, 2),
    )


def required_path(
    outcome: CallOutcome | None, require: Literal["direct"] | None
) -> None:
    """Check --require.

    Raises:
        RequirementNotMet: The call never went direct.
    """
    if require == "direct" and outcome and outcome.time_to_direct_ms is None:
        raise RequirementNotMet(f"the call stayed on the relay: {_why(outcome)}")


def _why(outcome: CallOutcome) -> str:
    return outcome.why_not_direct or "the reason is not known"
