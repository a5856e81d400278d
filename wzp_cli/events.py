"""What services report while they work: one frozen value for each event.

The tag is the event's name on the command line (`--json`, `--events`), the fields are
its keys, so the JSON Schema is exported from here. The unit is in the key; None is "not
measured". The envelope (v, ts, seq, t_ms) is added by the command line.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

__all__ = [
    "Answered",
    "Bound",
    "Calling",
    "Candidate",
    "Ended",
    "Event",
    "Failed",
    "Frames",
    "Hangup",
    "HeardByPeer",
    "Held",
    "Hello",
    "Incoming",
    "Judged",
    "LanAnnounced",
    "Level",
    "Loudness",
    "MappingAged",
    "MappingProtocol",
    "MediaStarted",
    "Missed",
    "Muted",
    "NatDetected",
    "PathChanged",
    "PathName",
    "PathPlanned",
    "PathSearched",
    "PathSelected",
    "PathSpan",
    "PathTried",
    "Pinged",
    "Pings",
    "PortMapped",
    "Ready",
    "Recorded",
    "Reflexive",
    "Registered",
    "RelayDraining",
    "RelayReady",
    "RelayReloaded",
    "RelayStats",
    "Report",
    "Ringing",
    "Stats",
    "Warned",
    "event_names",
    "name_of",
]

PathName = Literal["direct", "relay"]
Grade = Literal["good", "fair", "poor", "bad"]
Cause = Literal["loss", "jitter", "delay", "bandwidth"]
Strategy = Literal["checks", "prediction", "mutual-prediction", "search", "relay"]
MappingProtocol = Literal["pcp", "nat-pmp", "upnp"]
CandidateType = Literal["host", "srflx", "prflx", "mapped", "relayed"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Anything that can be reported."""


class Hello(Event, tag="hello", frozen=True, kw_only=True):
    """First of all events: who speaks."""

    id: str
    version: str


class Bound(Event, tag="bound", frozen=True, kw_only=True):
    """The one socket is open. `addresses` are this machine's, with the port."""

    port: int
    addresses: list[str]


class Reflexive(Event, tag="reflexive", frozen=True, kw_only=True):
    """The socket's address as a server sees it."""

    address: str
    via: str
    changed: bool = False


class PortMapped(Event, tag="port.mapped", frozen=True, kw_only=True):
    """The router sends `address` on to the one socket; None: it does not, or no longer.

    `reason`: why there is none, or why it is of no use.
    """

    address: str | None
    protocol: MappingProtocol | None
    reason: str | None = None


class Registered(Event, tag="registered", frozen=True, kw_only=True):
    """The relay knows us. `published`: others can call us through it.

    `transport`: "tcp" where only a WebSocket gets through to it.
    """

    relay: str
    relay_id: str
    published: bool
    transport: Literal["udp", "tcp"] = "udp"


class LanAnnounced(Event, tag="lan.announced", frozen=True, kw_only=True):
    """Who is on our local network can find us. `name`: what it is told of us, or "".

    `addresses` are this machine's, without the port.
    """

    name: str
    addresses: list[str]


class Ready(Event, tag="ready", frozen=True, kw_only=True):
    """Calls can come in now."""

    id: str
    ticket: str


class Incoming(Event, tag="incoming", frozen=True, kw_only=True):
    """Somebody calls. `name` is what they call themselves: cleaned, not verified.

    `contact`: the name that the user gave to this key, if any. `verified`: its words
    were compared. `namesake`: a contact who is called so, or nearly so, and has another
    key: a new one of theirs, or somebody who wants to be taken for them.
    """

    call: str
    peer: str
    name: str = ""
    via: PathName = "relay"
    contact: str | None = None
    verified: bool = False
    namesake: str | None = None


class Missed(Event, tag="missed", frozen=True, kw_only=True):
    """A call came in that nobody took. `name` as in `incoming`.

    `reason`: why: another call was under way, nobody answered, the caller gave up.
    """

    peer: str
    name: str = ""
    reason: Literal["busy", "timeout", "withdrawn"]


class Calling(Event, tag="calling", frozen=True, kw_only=True):
    """We call somebody, through a `listen`. `peer`: identity, or else address."""

    peer: str


class Ringing(Event, tag="ringing", frozen=True, kw_only=True):
    """A device of the peer's rings."""

    peer: str


class Answered(Event, tag="answered", frozen=True, kw_only=True):
    """The call was answered. `setup_ms`: since the start of `call`.

    `contact` and `verified`: as in `Incoming`.
    """

    peer: str
    setup_ms: float | None = None
    contact: str | None = None
    verified: bool = False


class Candidate(Event, tag="candidate", frozen=True, kw_only=True):
    """A candidate address that we offered or were offered."""

    side: Literal["local", "remote"]
    type: CandidateType
    address: str


class Pinged(Event, tag="ping", frozen=True, kw_only=True):
    """One ping; `rtt_ms` is None where no answer came within a second."""

    number: int
    path: PathName
    remote: str
    rtt_ms: float | None


class PathTried(Event, tag="path.tried", frozen=True, kw_only=True):
    """How the checks toward one candidate ended."""

    address: str
    answered: bool
    checks: int
    elapsed_ms: float
    reason: str | None = None


class PathPlanned(Event, tag="path.planned", frozen=True, kw_only=True):
    """What both NATs, as measured now, leave to do for a direct route.

    `reason`: why nothing is left (`strategy` is relay). `elapsed_ms`: since the answer.
    """

    strategy: Strategy
    mapping: str
    peer_mapping: str
    elapsed_ms: float
    reason: str | None = None


class PathSearched(Event, tag="path.searched", frozen=True, kw_only=True):
    """How one search, or round of prediction, ended. `packets`: sent by this side."""

    strategy: Strategy
    side: Literal["opens", "probes", "both"]
    packets: int
    found: bool
    elapsed_ms: float
    reason: str | None = None


class PathSelected(Event, tag="path.selected", frozen=True, kw_only=True):
    """Media's first path in this call."""

    path: PathName
    remote: str
    rtt_ms: float | None = None


class PathChanged(Event, tag="path.changed", frozen=True, kw_only=True):
    """Media moved to another path."""

    path: PathName
    remote: str
    reason: str
    rtt_ms: float | None = None


class MediaStarted(Event, tag="media.started", frozen=True, kw_only=True):
    """The first sound from the peer was played. `first_audio_ms`: since the answer."""

    first_audio_ms: float


class Level(Event, tag="level", frozen=True, kw_only=True):
    """How loud the microphone is now, below full scale; None is digital silence."""

    level_dbfs: float | None
    peak_dbfs: float | None


class Loudness(Event, tag="loudness", frozen=True, kw_only=True):
    """How loud both sides of a call are; told to who asked for the call with a screen.

    None is digital silence.
    """

    said_dbfs: float | None
    heard_dbfs: float | None


class Recorded(Event, tag="recording", frozen=True, kw_only=True):
    """The call is recorded from now on."""

    path: str


class Muted(Event, tag="muted", frozen=True, kw_only=True):
    """Our voice is held back, or no longer. `push_to_talk`: because of that."""

    muted: bool
    push_to_talk: bool = False


class Held(Event, tag="held", frozen=True, kw_only=True):
    """The call is on hold, or no longer, as far as this side has done it."""

    held: bool
    by: Literal["local", "peer"]


class NatDetected(Event, tag="nat.detected", frozen=True, kw_only=True):
    """One measurement of `detect-nat --every`.

    `result`: as in the document of `wzp detect-nat`. `changed`: its keys that differ
    from the time before; rtt_ms is none of them. `error`: the code, where it failed.
    """

    summary: str
    changed: list[str]
    result: dict[str, Any] | None
    error: str | None = None


class MappingAged(Event, tag="mapping.aged", frozen=True, kw_only=True):
    """What `detect-nat --full` knows by now of how long a mapping lasts in silence.

    `lived_s`: the longest silence that it outlived (0: none yet); `lost_s`: the
    shortest that it did not; `next_s`: which is tried next, none at the end.
    """

    lived_s: float
    lost_s: float | None
    next_s: float | None


class HeardByPeer(msgspec.Struct, frozen=True, kw_only=True):
    """How the peer hears us, by its own reports."""

    loss_pct: float
    concealed_ms: float
    recovered_ms: float
    buffer_ms: float
    mos_est: float | None


class Stats(Event, tag="stats", frozen=True, kw_only=True):
    """Each second of a call, as this side measures it; and the peer's view."""

    path: PathName
    rtt_ms: float | None
    loss_pct: float
    jitter_ms: float
    buffer_ms: float
    concealed_ms: float
    tx_bps: int
    rx_bps: int
    mos_est: float | None
    recovered_ms: float = 0.0
    heard_by_peer: HeardByPeer | None = None


class Judged(Event, tag="verdict", frozen=True, kw_only=True):
    """What a call was like, in a sentence; None: nothing was heard."""

    quality: Grade | None
    limited_by: Cause | None
    sentence: str


class Hangup(Event, tag="hangup", frozen=True, kw_only=True):
    """The call is over. `by`: which side ended it."""

    reason: str
    by: Literal["local", "peer", "network"]


class RelayReady(Event, tag="relay.ready", frozen=True, kw_only=True):
    """The relay serves. `addresses`: where clients may reach it; `ports`: STUN only.

    `metrics`: where it answers its operator (HOST:PORT), if anywhere.
    `tcp_port`: for clients whose networks block UDP.
    """

    id: str
    port: int
    addresses: list[str]
    ports: list[int]
    metrics: str | None = None
    tcp_port: int | None = None


class RelayStats(Event, tag="relay.stats", frozen=True, kw_only=True):
    """What a relay does, told when it has changed, at most each second.

    `links`: clients connected; `published`: of them reachable; `channels`: open now;
    `forwarded_*`: totals since the start; `dropped`: frames not passed on, by reason.
    """

    links: int
    published: int
    channels: int
    forwarded_packets: int
    forwarded_bytes: int
    dropped: dict[str, int]


class RelayReloaded(Event, tag="relay.reloaded", frozen=True, kw_only=True):
    """The relay goes by other rules. `tokens`, `allowed`: None where there is no list.

    `closed`: clients that the rules admit no longer.
    """

    tokens: int | None
    allowed: int | None
    blocked: int
    closed: int


class RelayDraining(Event, tag="relay.draining", frozen=True, kw_only=True):
    """The relay takes nobody any more, and stops. `channels`: open now."""

    channels: int
    within_s: float


class Warned(Event, tag="warning", frozen=True, kw_only=True):
    """Something a person may want to know; the work goes on."""

    code: str
    message: str


class Failed(Event, tag="error", frozen=True, kw_only=True):
    """The error that ends the command."""

    code: str
    message: str
    hint: str | None
    exit: int


class PathSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Since when (counted from the answer) media used a path."""

    path: PathName
    from_ms: float


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """Media frames of 20 ms, as this side counted them."""

    sent: int
    received: int
    recovered: int
    concealed: int
    late: int


class Pings(msgspec.Struct, frozen=True, kw_only=True):
    """Pings sent and answered, and their round trips."""

    sent: int
    answered: int
    min_ms: float | None
    median_ms: float | None
    max_ms: float | None


class Ended(Event, tag="end", frozen=True, kw_only=True):
    """Always the last event. The call's fields are None where there was no call."""

    ok: bool
    exit: int
    path: PathName | None = None
    paths: list[PathSpan] = []
    setup_ms: float | None = None
    first_audio_ms: float | None = None
    time_to_direct_ms: float | None = None
    why_not_direct: str | None = None
    remote: str | None = None
    peer: str | None = None
    frames: Frames | None = None
    rtt_ms: float | None = None
    jitter_ms: float | None = None
    buffer_ms: float | None = None
    mos_est: float | None = None
    quality: Grade | None = None
    limited_by: Cause | None = None
    heard_by_peer: HeardByPeer | None = None
    pings: Pings | None = None


Report = Callable[[Event], None]


def name_of(kind: type[Event]) -> str:
    """Return the name of a kind of event."""
    return str(kind.__struct_config__.tag)


def event_names() -> list[str]:
    """Return the names of all events, sorted."""
    return sorted(name_of(kind) for kind in Event.__subclasses__())
