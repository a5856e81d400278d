"""What another `wzp` of the same user asks a running one, and what it is told.

One message a line, UTF-8 JSON, on the control socket; one request a connection:

    > {"type":"detect-nat","servers":[{"name":"r1.example:4433","kind":"relay"}]}
    < {"type":"event","event":{"event":"bound","port":41822,"addresses":["10.0.0.2"]}}
    < {"type":"result","result":{"verdict":"likely",...}}

Any number of events, then one `result` or one `error`, which is last. Who asks and
closes the connection no longer wants the answer. Additive only: an unknown request is
answered by an error, unknown events and fields are passed over.
"""

from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec

from wzp_cli import events
from wzp_cli.defaults.diagnosis import LIFETIME_MAX_SILENCE_S, LIFETIME_MAX_SILENCES
from wzp_cli.defaults.program import CONTROL_MAX_REPLY_BYTES, CONTROL_MAX_REQUEST_BYTES
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.messages.signal import BodyDecoder, Message, Unknown
from wzp_cli.protocol.names.text import clean

__all__ = [
    "AskAnswer",
    "AskCall",
    "AskDetectNat",
    "AskEvents",
    "AskHangUp",
    "AskHold",
    "AskLifetime",
    "AskMute",
    "AskPing",
    "AskRelay",
    "AskStatus",
    "AskTalk",
    "CallSteered",
    "HowItSounds",
    "NamedServer",
    "Refusal",
    "Reply",
    "Request",
    "Result",
    "Told",
    "decode_event",
    "decode_reply",
    "decode_request",
    "encode_reply",
    "encode_request",
    "read_result",
    "result_of",
    "told",
]

T = TypeVar("T")
_REASON_CHARACTERS = 200


# --- Requests -------------------------------------------------------------------


class AskStatus(Message, frozen=True, kw_only=True, tag="status"):
    """What are you doing?"""


class NamedServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server to ask, as `host:port`."""

    name: Annotated[str, msgspec.Meta(max_length=300)]
    kind: Literal["relay", "stun"]


class AskDetectNat(Message, frozen=True, kw_only=True, tag="detect-nat"):
    """Measure the NAT through your socket.

    Attributes:
        portmap: Ask the router, too.
        relay_token: Shown to the relays that are named.
        public_stun: Asked where fewer than two of those named answer; empty: nobody.
        preferred_relay: The one that was preferred last time.
    """

    servers: Annotated[list[NamedServer], msgspec.Meta(max_length=64)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)]
    portmap: bool = False
    relay_token: str = ""
    public_stun: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()
    preferred_relay: str | None = None


class AskLifetime(Message, frozen=True, kw_only=True, tag="mapping-lifetime"):
    """Measure how long a mapping lasts in silence, with spare sockets of yours.

    Attributes:
        relays: Who helps, as `host:port`.
        silences_s: Those to try, the shortest first.
        relay_token: Shown to the relays.
    """

    relays: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=300)]], msgspec.Meta(max_length=64)
    ]
    silences_s: Annotated[
        list[Annotated[float, msgspec.Meta(gt=0, le=LIFETIME_MAX_SILENCE_S)]],
        msgspec.Meta(min_length=1, max_length=LIFETIME_MAX_SILENCES),
    ]
    relay_token: str = ""


class AskRelay(Message, frozen=True, kw_only=True, tag="relay"):
    """How is the relay that you are?"""


class AskAnswer(Message, frozen=True, kw_only=True, tag="answer"):
    """Answer what rings."""


class HowItSounds(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sound as the flags of `wzp call` have it; None: as the listener has it."""

    source: str | None = None
    sink: str | None = None
    gain_in: float | None = None
    gain_out: float | None = None
    echo_cancel: bool | None = None
    noise_suppression: bool | None = None
    gain_control: bool | None = None


class AskCall(Message, frozen=True, kw_only=True, tag="call"):
    """Call somebody through your socket. Who leaves hangs up.

    Attributes:
        peer: As `wzp call` takes it.
        relay: As --relay says it; else as the peer or the listener has it.
        ring: Whether the speaker rings; None: as the listener has it.
        record: The file to record to, whole path.
        levels: Whether to tell how loud both sides are, for a screen.
    """

    peer: Annotated[str, msgspec.Meta(max_length=4096)]
    relay: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()
    sound: HowItSounds = HowItSounds()
    ring: bool | None = None
    ring_timeout_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    duration_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    record: str | None = None
    levels: bool = False


class AskPing(Message, frozen=True, kw_only=True, tag="ping"):
    """Find a path to somebody through your socket, and measure it. Who leaves ends it.

    Attributes:
        peer: As `wzp ping` takes it.
        relay: As --relay says it; else as the peer or the listener has it.
        count: How many pings, one each second.
        until_direct: Stop as soon as the path is direct.
    """

    peer: Annotated[str, msgspec.Meta(max_length=4096)]
    relay: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()
    count: Annotated[int, msgspec.Meta(ge=1)] = 10
    until_direct: bool = False


class AskEvents(Message, frozen=True, kw_only=True, tag="events"):
    """Tell every event from now on, after a `hello`, until the asker leaves."""


class AskHangUp(Message, frozen=True, kw_only=True, tag="hangup"):
    """End the call under way: decline what rings, withdraw what we ring, hang up."""


class AskMute(Message, frozen=True, kw_only=True, tag="mute"):
    """Hold our voice back, or no longer; None: the other way."""

    on: bool | None = True


class AskHold(Message, frozen=True, kw_only=True, tag="hold"):
    """Put the call on hold, or resume it; None: the other way."""

    on: bool | None = True


class AskTalk(Message, frozen=True, kw_only=True, tag="talk"):
    """Push to talk, or release; None: the other way. Muting, either way, ends that."""

    on: bool | None = True


class CallSteered(msgspec.Struct, frozen=True, kw_only=True):
    """The call that an order reached: `state` from before, the others from now.

    `name` is what the peer calls itself: cleaned, not verified. `push_to_talk`: our
    voice leaves only between `talk on` and `talk off`.
    """

    peer: str
    name: str
    state: Literal["ringing", "calling", "answered", "talking"]
    muted: bool
    held: bool
    push_to_talk: bool = False


Request = (
    AskStatus
    | AskDetectNat
    | AskLifetime
    | AskRelay
    | AskAnswer
    | AskCall
    | AskEvents
    | AskHangUp
    | AskHold
    | AskMute
    | AskPing
    | AskTalk
)
_requests: BodyDecoder[Request] = BodyDecoder(Request)


# --- Replies --------------------------------------------------------------------


class Told(Message, frozen=True, kw_only=True, tag="event"):
    """What happens while the request is worked on: an event without its envelope."""

    event: msgspec.Raw


class Result(Message, frozen=True, kw_only=True, tag="result"):
    """It is done; this is what was found."""

    result: msgspec.Raw


class Refusal(Message, frozen=True, kw_only=True, tag="error"):
    """It was not done. Fields as those of the event `error`."""

    code: str
    message: str
    hint: str | None = None
    exit: int = 1


Reply = Told | Result | Refusal
_replies: BodyDecoder[Reply] = BodyDecoder(Reply)
_events: msgspec.json.Decoder[events.Event] = msgspec.json.Decoder(
    Union[tuple(events.Event.__subclasses__())]  # noqa: UP007 - only known at run time
)


def encode_request(request: Request) -> bytes:
    """Return a request as its line. Raises LocalProtocolError if it is too long."""
    return _line(request, CONTROL_MAX_REQUEST_BYTES)


def encode_reply(reply: Reply) -> bytes:
    """Return a reply as its line. Raises LocalProtocolError if it is too long."""
    return _line(reply, CONTROL_MAX_REPLY_BYTES)


def decode_request(line: bytes) -> Request | Unknown:
    """Return the request of a line. Raises RemoteProtocolError if it is none."""
    return _requests.decode(line)


def decode_reply(line: bytes) -> Reply | Unknown:
    """Return the reply of a line. Raises RemoteProtocolError if it is none."""
    return _replies.decode(line)


def told(event: events.Event) -> Told:
    """Return an event as a reply."""
    return Told(event=msgspec.Raw(msgspec.json.encode(event)))


def decode_event(reply: Told) -> events.Event | None:
    """Return the event of a reply; None where this version does not know it."""
    try:
        return _events.decode(reply.event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def result_of(found: Any) -> Result:
    """Return what was found as a reply."""
    return Result(result=msgspec.Raw(msgspec.json.encode(found)))


def read_result(reply: Result, kind: type[T]) -> T:
    """Return what was found.

    Raises:
        RemoteProtocolError: It is no `kind`: another version of wzp runs there.
    """
    try:
        return msgspec.json.decode(reply.result, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = clean(str(error), _REASON_CHARACTERS)
        raise RemoteProtocolError(f"no {kind.__name__}: {reason}") from error


def _line(message: Message, limit_bytes: int) -> bytes:
    line = msgspec.json.encode(message) + b"\n"
    if len(line) > limit_bytes:
        raise LocalProtocolError(f"message of {len(line)} bytes")
    return line
