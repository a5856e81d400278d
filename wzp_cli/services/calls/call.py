"""`wzp call`: find the peer, ring every device, talk to the first that answers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import FALLBACK_CODEC
from wzp_cli.defaults.program import HELLO_TIMEOUT_S, RING_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import (
    ConnectionLost,
    IdentityError,
    NoAnswer,
    PeerBusy,
    PeerDeclined,
    PeerError,
    PeerUnreachable,
    RemoteProtocolError,
    VersionMismatch,
    WrongPeer,
    WzpError,
)
from wzp_cli.events import Answered, Report, Ringing, Warned
from wzp_cli.ports import (
    FindInterfaces,
    OpenCodec,
    OpenRecording,
    OpenSound,
    PlayTone,
    PortMapping,
)
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.policy import STRANGER, PolicyOf
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.talk import CallOutcome, TalkSettings, talk
from wzp_cli.services.conversation import Conversation, greet
from wzp_cli.services.relays.registration import Registration
from wzp_cli.services.routes.candidates import RoutePlan

__all__ = ["CallSettings", "call_address", "call_identity"]


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How to call.

    Attributes:
        name: What we call ourselves.
        direct: Try direct routes; False keeps to the relay.
        port_mapping: A port of our router's, to offer as well.
        policy: What the user has said of an identity.
        ring_timeout_s: How long to ring.
        duration_s: Hang up after so long; None: when somebody does.
        on_outcome: Takes what the call was, also when it is cancelled.
        on_controls: Takes the switches of the call as it begins.
        accept: Returns the next link of the peer's, should it call us meanwhile; who
            gives it to us also gives its channel back. None: we accept links ourselves.
        open_recording: Begins to record the call; None: it is not recorded.
        play_tone: Plays the ring-back tone while a device rings.
    """

    name: str = ""
    direct: bool = True
    port_mapping: PortMapping | None = None
    policy: PolicyOf = lambda identity: STRANGER
    ring_timeout_s: float = RING_TIMEOUT_S
    duration_s: float | None = None
    on_outcome: Callable[[CallOutcome], None] = lambda outcome: None
    on_controls: Callable[[CallControls], None] = lambda controls: None
    accept: Callable[[], Awaitable[Link]] | None = None
    open_recording: OpenRecording | None = None
    play_tone: PlayTone = nullcontext


async def call_identity(
    endpoint: Endpoint,
    registration: Registration,
    target: Identity,
    settings: CallSettings,
    open_sound: OpenSound,
    open_codec: OpenCodec,
    find_interfaces: FindInterfaces,
    report: Report,
) -> CallOutcome:
    """Call an identity through the relay, and go direct once it answers.

    Raises:
        PeerOffline, PeerBusy, PeerDeclined, NoAnswer: Nobody took the call.
        WrongPeer: Somebody else answered under that identity.
        RelayUnreachable, PeerUnreachable: No way there.
        SoundError: The device did not open.
    """
    began = endpoint.now()
    routes = await registration.connect(target)
    ringing = _Ringing(endpoint, target, settings.name, report)
    ringing.registration, ringing.accept = registration, settings.accept
    try:
        return await _call(
            ringing,
            routes,
            began,
            RoutePlan(
                settings.direct, find_interfaces, registration, settings.port_mapping
            ),
            settings,
            open_sound,
            open_codec,
            report,
        )
    finally:
        for route in (*routes, *ringing.crossed):
            registration.close_channel(route)


async def call_address(
    endpoint: Endpoint,
    addresses: Sequence[Address],
    target: Identity | None,
    settings: CallSettings,
    open_sound: OpenSound,
    open_codec: OpenCodec,
    find_interfaces: FindInterfaces,
    report: Report,
) -> CallOutcome:
    """Call whoever listens at a bare address; no relay is needed. Raises as above."""
    began = endpoint.now()
    routes = [DirectRoute(address) for address in addresses]
    mapping = settings.port_mapping
    plan = RoutePlan(settings.direct, find_interfaces, None, mapping)
    ringing = _Ringing(endpoint, target, settings.name, report)
    return await _call(
        ringing, routes, began, plan, settings, open_sound, open_codec, report
    )


async def _call(
    ringing: "_Ringing",
    routes: Sequence[ChannelRoute] | Sequence[DirectRoute],
    began: float,
    plan: RoutePlan,
    settings: CallSettings,
    open_sound: OpenSound,
    open_codec: OpenCodec,
    report: Report,
) -> CallOutcome:
    """Ring along all routes, talk along the first whose device answers."""
    endpoint = ringing.endpoint
    codec, notice = open_codec(None)
    if notice is not None:
        report(Warned(code="codec", message=notice))
    ringing.play_tone = settings.play_tone
    ringing.codecs = list(dict.fromkeys((codec.name, FALLBACK_CODEC)))
    conversation, chosen = await ringing.ring(routes, settings.ring_timeout_s)
    if chosen != codec.name:
        codec, _ = open_codec(chosen)
    setup_ms = round((endpoint.now() - began) * 1000, 1)
    policy = settings.policy(conversation.peer)
    plan = replace(plan, direct=plan.direct and not policy.always_relay)
    report(
        Answered(
            peer=str(conversation.peer),
            setup_ms=setup_ms,
            contact=policy.contact,
            verified=policy.verified,
        )
    )
    talk_settings = TalkSettings(
        settings.duration_s,
        True,
        setup_ms,
        settings.on_outcome,
        settings.on_controls,
        settings.open_recording,
    )
    async with task_group() as group:
        group.create_task(ringing.withdraw(conversation, peer.ANSWERED_ELSEWHERE))
        return await talk(
            endpoint, conversation, plan, open_sound, codec, talk_settings, report
        )


_Answer = tuple[Conversation, str]


@dataclass
class _Ringing:
    """One call while it rings, at one or several devices.

    Attributes:
        codecs: Names of the codecs that we offer, best first.
        registration: Where the peer's own call to us would come in: when both call each
            other at once, the call of the smaller identity stands.
        accept: As in the settings.
        crossed: Channels through which the peer called us meanwhile.
        play_tone: Plays while a device rings.
    """

    endpoint: Endpoint
    target: Identity | None
    name: str
    report: Report
    codecs: list[str] = field(default_factory=list)
    call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    registration: Registration | None = None
    accept: Callable[[], Awaitable[Link]] | None = None
    crossed: list[ChannelRoute] = field(default_factory=list)
    _conversations: list[Conversation] = field(default_factory=list)
    _failures: list[WzpError] = field(default_factory=list)
    play_tone: PlayTone = nullcontext
    _rings: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._winner: asyncio.Future[_Answer] = (
            asyncio.get_running_loop().create_future()
        )

    async def ring(self, routes: Sequence[Route], timeout_s: float) -> "_Answer":
        """Return the conversation with the first device that answers, and a codec."""
        async with task_group() as group:
            tasks = [
                group.create_task(self._try(route, len(routes))) for route in routes
            ]
            tasks.append(group.create_task(self._sound()))
            if self.registration is not None:
                if self.accept is None:
                    self.endpoint.accept_peers(Strangers.REFUSED)
                tasks.append(group.create_task(self._cross(group, tasks)))
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._winner
            except TimeoutError:
                await self.withdraw(None, "timeout")
                if not self._conversations:
                    where = ", ".join(map(str, routes))
                    raise PeerUnreachable(
                        f"the peer gave no answer in {timeout_s:g} s ({where})"
                    ) from None
                raise NoAnswer(f"rang for {timeout_s:g} s") from None
            except BaseException:
                await self.withdraw(None, "cancelled")
                raise
            finally:
                for task in tasks:
                    task.cancel()

    async def withdraw(self, kept: Conversation | None, reason: str) -> None:
        """Stop ringing everywhere but where it was answered."""
        cancel = peer.Cancel(call=self.call_id, reason=reason)
        async with task_group() as group:
            for conversation in self._conversations:
                if conversation is not kept:
                    group.create_task(conversation.leave(cancel))

    async def _sound(self) -> None:
        """Let the caller hear that it rings there, until cancelled."""
        await self._rings.wait()
        async with self.play_tone():
            await asyncio.Event().wait()

    async def _try(self, route: Route, tried: int) -> None:
        try:
            await self._ring_one(route)
        except WzpError as error:
            self._failures.append(error)
            if len(self._failures) == tried and not self._winner.done():
                self._winner.set_exception(min(self._failures, key=_importance))

    async def _ring_one(self, route: Route) -> None:
        """Ring one device until it answers, or another has."""
        conversation = await self._reach(route)
        self._conversations.append(conversation)
        conversation.say(peer.Offer(call=self.call_id, media=self.codecs))
        while not self._winner.done():
            match await _still_heard(conversation):
                case peer.Ringing():
                    self._report_ringing(conversation)
                case peer.Answer(media=media):
                    self._answered(conversation, media)
                case peer.Offer() as theirs if self._yields_to(conversation):
                    self._answer(conversation, theirs)
                case peer.Decline(reason=reason):
                    raise _declined(reason)
                case peer.Goodbye():
                    raise PeerDeclined("hung up while ringing")

    def _answered(self, conversation: Conversation, media: str) -> None:
        if media not in self.codecs:
            raise VersionMismatch("the peer chose a codec that was not offered")
        if not self._winner.done():
            self._winner.set_result((conversation, media))

    # -- both call each other at once

    async def _cross(
        self, group: asyncio.TaskGroup, tasks: "list[asyncio.Task[None]]"
    ) -> None:
        """Take the links that the peer dials while we ring it."""
        while True:
            link = await (self.accept or self.endpoint.accept)()
            tasks.append(group.create_task(self._meet(link)))

    async def _meet(self, link: Link) -> None:
        """Agree with a peer that calls us: one call, the smaller identity's."""
        route = link.routes[0]
        if link.identity != self.target or not isinstance(route, ChannelRoute):
            link.refuse("not taking calls")
            return
        if self.accept is None:
            self.crossed.append(route)
        with suppress(WzpError, TimeoutError):
            conversation = await greet(link, self.name)
            self._conversations.append(conversation)
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                theirs = await conversation.heard()
                if not isinstance(theirs, peer.Offer):
                    return
                if self._yields_to(conversation):
                    self._answer(conversation, theirs)
                else:
                    await self._insist(conversation)

    async def _insist(self, conversation: Conversation) -> None:
        """Offer our call over the link of theirs; the peer's rules make it answer."""
        conversation.say(peer.Offer(call=self.call_id, media=self.codecs))
        while not self._winner.done():
            message = await conversation.heard()
            if isinstance(message, peer.Answer):
                self._answered(conversation, message.media)

    def _yields_to(self, conversation: Conversation) -> bool:
        return conversation.peer < self.endpoint.identity

    def _answer(self, conversation: Conversation, theirs: peer.Offer) -> None:
        """Take the peer's call in place of ours, unless ours is answered already."""
        common = [name for name in self.codecs if name in theirs.media]
        if not common:
            raise VersionMismatch("no common codec")
        if not self._winner.done():
            conversation.say(peer.Answer(call=theirs.call, media=common[0]))
            self._winner.set_result((conversation, common[0]))

    # -- inside

    async def _reach(self, route: Route) -> Conversation:
        try:
            link = await self.endpoint.dial_peer(route, self.target)
            return await greet(link, self.name)
        except ConnectionLost as error:
            raise PeerUnreachable(f"{route}: {error}") from error
        except IdentityError as error:
            raise WrongPeer(f"{route}: {error}") from error
        except VersionMismatch as error:
            error.add_note("Update the older one; or is that a relay? Then: --relay.")
            raise
        except RemoteProtocolError as error:
            raise VersionMismatch(f"{route}: {error}") from error

    def _report_ringing(self, conversation: Conversation) -> None:
        if not self._rings.is_set():
            self._rings.set()
            self.report(Ringing(peer=str(conversation.peer)))


async def _still_heard(conversation: Conversation) -> peer.PeerMessage:
    """Return the next message. Raises ConnectionLost, in words, where the peer died."""
    try:
        return await conversation.heard()
    except ConnectionLost as error:
        raise ConnectionLost(f"the peer is gone: {error}") from error


def _declined(reason: str) -> PeerError:
    match reason:
        case "busy":
            return PeerBusy("the peer is in another call")
        case "timeout":
            return NoAnswer("nobody answered")
        case "unsupported":
            return VersionMismatch("no common codec")
        case _:
            return PeerDeclined("the peer declined")


def _importance(error: WzpError) -> int:
    """What several devices said, most telling first."""
    order: tuple[type[WzpError], ...] = (PeerDeclined, PeerBusy, NoAnswer, WrongPeer)
    return next((i for i, kind in enumerate(order) if isinstance(error, kind)), 9)
