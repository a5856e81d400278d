"""What two peers say to each other, inside their end-to-end link."""

from typing import Annotated, Final, Literal

import msgspec

from wzp_cli.defaults.media import QUALITY_MAX_QUEUE_MS
from wzp_cli.defaults.paths import MAX_CANDIDATES, SEARCH_SPARES
from wzp_cli.protocol.messages.signal import Message

__all__ = [
    "ANSWERED_ELSEWHERE",
    "QUICK_REPORTS",
    "REDUNDANCY",
    "Answer",
    "Cancel",
    "CandidateInfo",
    "CandidateType",
    "Candidates",
    "Decline",
    "Goodbye",
    "Hello",
    "Hold",
    "Nat",
    "Offer",
    "Opened",
    "PeerMessage",
    "Probe",
    "ProbeTaken",
    "Quality",
    "Relayed",
    "Ringing",
    "Searching",
]

REDUNDANCY: Final = "red"
"""In `Hello.features`: payload type 112 is understood (docs/protocol.md)."""

QUICK_REPORTS: Final = "rep"
"""In `Hello.features`: reports in datagrams are understood (docs/protocol.md)."""

ANSWERED_ELSEWHERE: Final = "answered-elsewhere"
"""`Cancel.reason` where another device of the callee's has the call."""

Text = Annotated[str, msgspec.Meta(max_length=256)]
Token = Annotated[str, msgspec.Meta(max_length=64)]
CandidateType = Literal["host", "srflx", "prflx", "mapped"]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """First, both ways: the link is up when the other side's has come."""

    version: Text
    name: Text = ""
    features: Annotated[tuple[Token, ...], msgspec.Meta(max_length=32)] = ()


class Offer(Message, frozen=True, kw_only=True, tag="offer"):
    """Ring, please. `media`: codecs in order of preference."""

    call: Token
    media: Annotated[list[Token], msgspec.Meta(max_length=8)]


class Ringing(Message, frozen=True, kw_only=True, tag="ringing"):
    """A person is being asked."""

    call: Token


class Answer(Message, frozen=True, kw_only=True, tag="answer"):
    """Yes. `media`: the codec chosen from the offer."""

    call: Token
    media: Token


class Decline(Message, frozen=True, kw_only=True, tag="decline"):
    """No: `declined`, `busy`, `refused`, `timeout` or `unsupported`."""

    call: Token
    reason: Token


class Cancel(Message, frozen=True, kw_only=True, tag="cancel"):
    """The caller no longer rings: `cancelled`, `timeout`, `answered-elsewhere`."""

    call: Token
    reason: Token


class CandidateInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One address where the sender may be reached."""

    type: CandidateType
    address: Annotated[str, msgspec.Meta(max_length=64)]


class Nat(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender knows of its own NAT; "unknown" where it was not measured.

    `pooled`: each destination may see another address. `mapped`: the router sends a
    port of its own on to the sender. `blocked`: its network lets no UDP out.
    """

    mapping: Token = "unknown"
    filtering: Token = "unknown"
    allocation: Token = "unknown"
    pooled: bool = False
    mapped: bool = False
    blocked: bool = False


class Candidates(Message, frozen=True, kw_only=True, tag="candidates"):
    """Where to check me, and with which key (RFC 8445's ufrag and password)."""

    ufrag: Annotated[str, msgspec.Meta(min_length=4, max_length=32)]
    pwd: Annotated[str, msgspec.Meta(min_length=22, max_length=64)]
    list: Annotated[list[CandidateInfo], msgspec.Meta(max_length=MAX_CANDIDATES)]
    end: bool = True
    nat: Nat | None = None


class Opened(Message, frozen=True, kw_only=True, tag="opened"):
    """My NAT is open toward your candidates: checks may start."""


class Relayed(Message, frozen=True, kw_only=True, tag="relayed"):
    """My allocation at a TURN server has this address: reach it from yours."""

    address: Annotated[str, msgspec.Meta(max_length=64)]


class Searching(Message, frozen=True, kw_only=True, tag="searching"):
    """My spare sockets are open toward you: find one.

    `samples`: external ports that my NAT gave around theirs, in order. `step`: from
    one to the next, where it counts.
    """

    sockets: Annotated[int, msgspec.Meta(ge=1, le=SEARCH_SPARES)]
    samples: Annotated[tuple[Port, ...], msgspec.Meta(max_length=16)] = ()
    step: Annotated[int, msgspec.Meta(ge=-1024, le=1024)] = 0


class Probe(Message, frozen=True, kw_only=True, tag="probe"):
    """In place of an offer: let me find a path to you; nobody is asked."""

    call: Token


class ProbeTaken(Message, frozen=True, kw_only=True, tag="probe_taken"):
    """Go on. `direct`: I let you look for a direct path."""

    call: Token
    direct: bool


class Quality(Message, frozen=True, kw_only=True, tag="quality"):
    """How the other side's sound has arrived here since the last such message.

    `expected`, `lost`, `gaps`: frames that should have come, did not come in time for
    the first time, and how often that was in a row. `recovered_ms`: made up for by
    copies. `queue_ms`: delay beyond that of the fastest frame of the last 10 s.
    """

    loss_pct: float
    jitter_ms: float
    concealed_ms: float
    buffer_ms: float
    expected: Count = 0
    lost: Count = 0
    gaps: Count = 0
    recovered_ms: float = 0.0
    queue_ms: Annotated[float, msgspec.Meta(ge=0, le=QUALITY_MAX_QUEUE_MS)] = 0.0


class Hold(Message, frozen=True, kw_only=True, tag="hold"):
    """I have put the call on hold, or (`on` false) take it up again."""

    on: bool


class Goodbye(Message, frozen=True, kw_only=True, tag="hangup"):
    """The call is over."""

    reason: Token


PeerMessage = (
    Hello
    | Offer
    | Ringing
    | Answer
    | Decline
    | Cancel
    | Candidates
    | Opened
    | Relayed
    | Searching
    | Probe
    | ProbeTaken
    | Quality
    | Hold
    | Goodbye
)
