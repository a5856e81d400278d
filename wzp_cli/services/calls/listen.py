"""`wzp listen`: take calls, one at a time, for as long as it runs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import FALLBACK_CODEC
from wzp_cli.defaults.program import HELLO_TIMEOUT_S, MAX_SERVED_LINKS, RING_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import EnvironmentFault, RemoteProtocolError, WrongPeer, WzpError
from wzp_cli.events import Answered, Hangup, Incoming, Missed, Report, Warned
from wzp_cli.ports import (
    Codec,
    FindInterfaces,
    OpenCodec,
    OpenRecording,
    OpenSound,
    PlayTone,
    PortMapping,
)
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.policy import (
    STRANGER,
    Answering,
    Policy,
    PolicyOf,
    answers_itself,
)
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.traversal.route import ChannelRoute, Route
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.ping import take_probe
from wzp_cli.services.calls.switchboard import Line, Switchboard
from wzp_cli.services.calls.talk import CallOutcome, TalkSettings, talk
from wzp_cli.services.conversation import Conversation, greet
from wzp_cli.services.relays.registration import Registration
from wzp_cli.services.routes.candidates import RoutePlan

__all__ = ["AskHuman", "ListenSettings", "listen"]

_NOT_TAKEN = "not taking calls"

AskHuman = Callable[[Incoming], Awaitable[bool]]
"""Whether to take a call; may take as long as it rings, and be cancelled."""


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """How to listen.

    Attributes:
        name: What we call ourselves.
        direct: Offer direct routes; False keeps to the relay.
        port_mapping: A port of our router's, to offer as well.
        strangers_dial: Whoever finds the port may dial it without a relay.
        auto_answer: Whose calls are taken without asking.
        policy: What the user has said of an identity.
        namesake: The contact as which a caller may be taken by its name.
        once: Stop after the first call that was answered.
        duration_s: Hang up each call after so long.
        on_outcome: Takes what each call was, also when it is cancelled.
        on_controls: Takes the switches of each call as it begins.
        switchboard: Where the call under way is steered from outside.
        open_recording: Begins to record a call; None: none is not recorded.
        play_tone: Plays the ring tone while somebody is asked.
    """

    name: str = ""
    direct: bool = True
    port_mapping: PortMapping | None = None
    strangers_dial: bool = True
    auto_answer: Answering = "nobody"
    policy: PolicyOf = lambda identity: STRANGER
    namesake: Callable[[str, Identity], str | None] = lambda name, identity: None
    once: bool = False
    ring_timeout_s: float = RING_TIMEOUT_S
    duration_s: float | None = None
    on_outcome: Callable[[CallOutcome], None] = lambda outcome: None
    on_controls: Callable[[CallControls], None] = lambda controls: None
    switchboard: Switchboard = field(default_factory=Switchboard)
    open_recording: OpenRecording | None = None
    play_tone: PlayTone = nullcontext


async def listen(
    endpoint: Endpoint,
    registration: Registration | None,
    settings: ListenSettings,
    ask: AskHuman,
    open_sound: OpenSound,
    open_codec: OpenCodec,
    find_interfaces: FindInterfaces,
    report: Report,
) -> CallOutcome | None:
    """Take calls until cancelled, or until the first has ended (`once`).

    Returns:
        The last call's outcome.

    Raises:
        SoundError: With `once`: the device did not open.
    """
    listener = _Listener(
        endpoint,
        registration,
        settings,
        ask,
        open_sound,
        open_codec,
        find_interfaces,
        report,
    )
    endpoint.accept_peers(
        Strangers.PROVEN if settings.strangers_dial else Strangers.REFUSED
    )
    return await listener.run()


@dataclass
class _Listener:
    endpoint: Endpoint
    registration: Registration | None
    settings: ListenSettings
    ask: AskHuman
    open_sound: OpenSound
    open_codec: OpenCodec
    find_interfaces: FindInterfaces
    report: Report
    _serving: Counter[type[Route]] = field(default_factory=Counter)
    last: CallOutcome | None = None
    _finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> CallOutcome | None:
        async with task_group() as group:
            accepting = group.create_task(self._accept(group))
            await self._finished.wait()
            accepting.cancel()
        return self.last

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        while True:  # and hold no call that is over
            self._take(await self.endpoint.accept(), group)

    def _take(self, link: Link, group: asyncio.TaskGroup) -> None:
        # Who dials the bare port can't take the places of announced calls.
        kind = type(link.routes[0])
        if self._serving[kind] >= MAX_SERVED_LINKS:
            link.refuse("too many callers at once")
        else:
            self._serving[kind] += 1
            serving = group.create_task(self._serve(link))
            serving.add_done_callback(partial(self._served, kind))

    def _served(self, kind: type[Route], _task: "asyncio.Task[None]") -> None:
        self._serving[kind] -= 1

    async def _serve(self, link: Link) -> None:
        route = link.routes[0]  # where it began; it may end on another
        try:
            await self._converse(link)
        finally:
            if isinstance(route, ChannelRoute) and self.registration is not None:
                self.registration.close_channel(route)

    async def _converse(self, link: Link) -> None:
        """Take one link from hello to end; what fails there ends nobody else."""
        try:
            self._check_announced(link)
            policy = self._policy(link)
            if policy.refused:
                link.refuse(_NOT_TAKEN)
                return
            line = self.settings.switchboard.line
            if line is not None and line.crosses(link):
                await line.cross(link)  # both call each other at once
                return
            conversation = await greet(link, self.settings.name)
            offer = await self._offer(conversation)
            if isinstance(offer, peer.Probe):
                await self._take_probe(conversation, offer, policy)
                return
        except WzpError as error:
            self.report(Warned(code=error.code, message=f"a call failed: {error}"))
            return
        switchboard = self.settings.switchboard
        if switchboard.line is not None or self._finished.is_set():
            await self._busy(conversation, offer)
            return
        try:
            with switchboard.takes_in(str(conversation.peer), conversation.name) as ln:
                await self._ring(conversation, offer, ln)
        except WzpError as error:
            # What this machine lacks ends `once`; what a caller does never.
            if self.settings.once and isinstance(error, EnvironmentFault):
                raise
            self.report(Warned(code=error.code, message=f"a call failed: {error}"))
        except OSError as error:  # a machine that has no more files, for example
            if self.settings.once:
                raise
            why = error.strerror or str(error)
            self.report(Warned(code="resources", message=f"a call failed: {why}"))
        finally:
            await conversation.hang_up("hung up")  # if nobody has, as when cancelled

    async def _busy(self, conversation: Conversation, offer: peer.Offer) -> None:
        line = self.settings.switchboard.line
        if line is None or line.peer != str(conversation.peer):
            self._missed(conversation, "busy")
        await conversation.leave(peer.Decline(call=offer.call, reason="busy"))

    def _missed(
        self,
        conversation: Conversation,
        reason: Literal["busy", "timeout", "withdrawn"],
    ) -> None:
        who = str(conversation.peer)
        self.report(Missed(peer=who, name=conversation.name, reason=reason))

    def _policy(self, link: Link) -> Policy:
        """Return what holds for the caller; where that can't be known, refuse it."""
        try:
            return self.settings.policy(link.identity)
        except WzpError:
            link.refuse(_NOT_TAKEN)
            raise

    def _check_announced(self, link: Link) -> None:
        """The relay's word grants nothing: the link's proof must agree with it."""
        route = link.routes[0]
        if not isinstance(route, ChannelRoute) or self.registration is None:
            return
        announced = self.registration.claim(route)
        if announced != link.identity:
            link.refuse("not who the relay announced")
            raise WrongPeer(f"announced as {announced}, proved {link.identity}")

    async def _offer(self, conversation: Conversation) -> peer.Offer | peer.Probe:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                message = await conversation.heard()
        except TimeoutError:
            message = None
        if not isinstance(message, peer.Offer | peer.Probe):
            await conversation.leave()
            raise RemoteProtocolError("no offer after the hello")
        return message

    async def _take_probe(
        self, conversation: Conversation, probe: peer.Probe, policy: Policy
    ) -> None:
        """Be pinged. Addresses are for contacts, or where everybody is let in."""
        everybody = self.settings.auto_answer == "all"
        plan = self._plan(policy)
        known = everybody or policy.contact is not None
        plan = replace(plan, direct=plan.direct and known)
        await take_probe(self.endpoint, conversation, plan, probe)

    async def _ring(
        self, conversation: Conversation, offer: peer.Offer, line: Line
    ) -> None:
        policy = self._policy(conversation.link)
        codec, notice = self.open_codec(None)
        if codec.name not in offer.media and FALLBACK_CODEC in offer.media:
            codec, _ = self.open_codec(FALLBACK_CODEC)
        if codec.name not in offer.media:
            decline = peer.Decline(call=offer.call, reason="unsupported")
            await conversation.leave(decline)
            return
        if notice is not None:
            self.report(Warned(code="codec", message=notice))
        incoming = Incoming(
            call=clean(offer.call),
            peer=str(conversation.peer),
            name=conversation.name,
            via="relay"
            if isinstance(conversation.link.routes[0], ChannelRoute)
            else "direct",
            contact=policy.contact,
            verified=policy.verified,
            namesake=self.settings.namesake(conversation.name, conversation.peer),
        )
        self.report(incoming)
        try:
            await self._ring_out(conversation, offer, incoming, codec, line)
        except WzpError as error:
            self.report(Hangup(reason=str(error), by="local"))
            raise

    async def _ring_out(
        self,
        conversation: Conversation,
        offer: peer.Offer,
        incoming: Incoming,
        codec: Codec,
        line: Line,
    ) -> None:
        """Ring, and talk if that is answered."""
        conversation.say(peer.Ringing(call=offer.call))
        declined = await self._declined(conversation, incoming, line)
        if declined is not None:
            await conversation.leave(peer.Decline(call=offer.call, reason=declined))
            return
        if conversation.link.ended:
            self.report(Hangup(reason="the caller is gone", by="network"))
            return
        conversation.say(peer.Answer(call=offer.call, media=codec.name))
        self.report(
            Answered(
                peer=str(conversation.peer),
                contact=incoming.contact,
                verified=incoming.verified,
            )
        )
        self.last = await talk(
            self.endpoint,
            conversation,
            self._plan(self._policy(conversation.link)),
            self.open_sound,
            codec,
            TalkSettings(
                self.settings.duration_s,
                on_outcome=self.settings.on_outcome,
                on_controls=partial(self._talks, line),
                open_recording=self.settings.open_recording,
            ),
            self.report,
        )
        if self.settings.once:
            self._finished.set()

    def _talks(self, line: Line, controls: CallControls) -> None:
        line.talks(controls)
        self.settings.on_controls(controls)

    def _plan(self, policy: Policy) -> RoutePlan:
        settings = self.settings
        return RoutePlan(
            settings.direct and not policy.always_relay,
            self.find_interfaces,
            self.registration,
            settings.port_mapping,
        )

    async def _declined(
        self, conversation: Conversation, incoming: Incoming, line: Line
    ) -> str | None:
        """Ask; return None for a yes, else the reason why not."""
        if answers_itself(self.settings.auto_answer, self._policy(conversation.link)):
            line.decide(True)
            return None
        gone: list[tuple[Literal["peer", "network"], str]] = []

        async def ask() -> None:
            line.decide(await self.ask(incoming))

        async def hear() -> None:
            gone.append(await _withdrawn(conversation))
            line.decide(False)

        try:
            async with (
                asyncio.timeout(self.settings.ring_timeout_s),
                self.settings.play_tone(),
                task_group() as group,
            ):
                tasks = [group.create_task(ask()), group.create_task(hear())]
                answered = await line.decided()
                for task in tasks:
                    task.cancel()
        except TimeoutError:
            self.report(Hangup(reason="nobody answered", by="local"))
            self._missed(conversation, "timeout")
            return "timeout"
        if answered:
            return None
        if gone:
            ((by, reason),) = gone
            self.report(Hangup(reason=reason, by=by))
            if reason != peer.ANSWERED_ELSEWHERE:
                self._missed(conversation, "withdrawn")
        else:
            self.report(Hangup(reason="declined", by="local"))
        return "declined"


async def _withdrawn(
    conversation: Conversation,
) -> tuple[Literal["peer", "network"], str]:
    """Wait until the caller no longer rings; return by whom it ended, and why."""
    try:
        while True:
            match await conversation.heard():
                case peer.Cancel(reason=reason) | peer.Goodbye(reason=reason):
                    return "peer", clean(reason)
    except WzpError as error:
        return "network", clean(f"the caller is gone: {error}")
