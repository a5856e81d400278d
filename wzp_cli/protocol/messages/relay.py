"""What a client and its relay say to each other.

A channel is named by two random ids, one for each direction: frames that a client sends
carry its `send` id, frames that come to it carry its `receive` id.
"""

from typing import Annotated

import msgspec

from wzp_cli.defaults.program import MAX_TOLD_REFUSALS
from wzp_cli.protocol.messages.signal import Message

__all__ = [
    "ChannelIds",
    "Closed",
    "Connect",
    "Connected",
    "Device",
    "Draining",
    "Enter",
    "Incoming",
    "Observed",
    "ProbeMe",
    "Probed",
    "Publish",
    "Published",
    "Refused",
    "RelayMessage",
    "Reveal",
    "Revealed",
    "Summoned",
    "TurnGranted",
    "TurnWanted",
    "Unpublish",
    "Welcome",
]

# The length too: "$" alone lets a newline follow.
ChannelId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
IdentityText = Annotated[str, msgspec.Meta(max_length=64)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Token = Annotated[str, msgspec.Meta(max_length=64)]


class ChannelIds(msgspec.Struct, frozen=True, kw_only=True):
    """One side's view of a channel: 8 bytes each, in hexadecimal."""

    send: ChannelId
    receive: ChannelId


class Enter(Message, frozen=True, kw_only=True, tag="enter"):
    """A client's first message: it opens the stream. `token`: the relay's, if any.

    `join`: the ticket of a `summoned`, which then opens this relay, too.
    """

    version: Annotated[str, msgspec.Meta(max_length=64)]
    token: Annotated[str, msgspec.Meta(max_length=256)] = ""
    join: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """The relay's first message: it knows who we are.

    `ports`: also answer STUN. `tcp`: the port that takes WebSockets, if there is one.
    """

    version: Annotated[str, msgspec.Meta(max_length=64)]
    address: Annotated[str, msgspec.Meta(max_length=64)]
    ports: Annotated[tuple[Port, ...], msgspec.Meta(max_length=8)] = ()
    tcp: Port | None = None


class Publish(Message, frozen=True, kw_only=True, tag="publish"):
    """Let others call me here. `name`: shown to nobody but the operator.

    `refuses`: identities for whom I am offline; said again, it counts anew.
    """

    name: Annotated[str, msgspec.Meta(max_length=64)] = ""
    token: Annotated[str, msgspec.Meta(max_length=256)] = ""
    refuses: Annotated[
        tuple[IdentityText, ...], msgspec.Meta(max_length=MAX_TOLD_REFUSALS)
    ] = ()


class Published(Message, frozen=True, kw_only=True, tag="published"):
    """From now on, others can call you."""


class Unpublish(Message, frozen=True, kw_only=True, tag="unpublish"):
    """Stop that."""


class Observed(Message, frozen=True, kw_only=True, tag="observed"):
    """The address you come from: at once, and whenever it has changed."""

    address: Annotated[str, msgspec.Meta(max_length=64)]


class Connect(Message, frozen=True, kw_only=True, tag="connect"):
    """Give me a channel to each device of `target`. `request` names the answer."""

    request: Token
    target: IdentityText


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device of the target's, and the channel to it."""

    device: Token
    channel: ChannelIds


class Connected(Message, frozen=True, kw_only=True, tag="connected"):
    """Here they are."""

    request: Token
    devices: Annotated[list[Device], msgspec.Meta(max_length=16)]


class Refused(Message, frozen=True, kw_only=True, tag="refused"):
    """No channel: `offline`, `limit`, `access` or `draining`."""

    request: Token
    reason: Token


class Incoming(Message, frozen=True, kw_only=True, tag="incoming"):
    """`caller`, as the relay verified it, is about to dial you through `channel`."""

    channel: ChannelIds
    caller: IdentityText


class Closed(Message, frozen=True, kw_only=True, tag="closed"):
    """Frames with this id flow no more: the sender's `send`, or your `receive`."""

    channel: ChannelId


class Reveal(Message, frozen=True, kw_only=True, tag="reveal"):
    """Tell the other side of the channel, named by my `send`, where you see me.

    Now, and whenever that changes, as long as the channel lives.
    """

    channel: ChannelId


class Revealed(Message, frozen=True, kw_only=True, tag="revealed"):
    """There I see the other side of the channel, named by your `receive`."""

    channel: ChannelId
    address: Annotated[str, msgspec.Meta(max_length=64)]


class Summoned(Message, frozen=True, kw_only=True, tag="summoned"):
    """Somebody calls you at another relay of the fleet: enter there, with `ticket`."""

    addresses: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=64)], ...],
        msgspec.Meta(min_length=1, max_length=4),
    ]
    ticket: Annotated[str, msgspec.Meta(max_length=128)]


class Draining(Message, frozen=True, kw_only=True, tag="draining"):
    """The relay stops within so long: it opens no more channels, and ends those."""

    within_s: Annotated[float, msgspec.Meta(ge=0, le=86400)]


class TurnWanted(Message, frozen=True, kw_only=True, tag="turn_wanted"):
    """My call through the channel, named by my `send`, is answered: let me use TURN."""

    channel: ChannelId


class TurnGranted(Message, frozen=True, kw_only=True, tag="turn_granted"):
    """Allocate at `server`, HOST or HOST:PORT, for the channel with your `receive`.

    `username` and `password`: long-term credentials (RFC 8489 section 9.2). `tcp` and
    `tls`: TCP ports of the same host where it speaks TCP alone, and TLS; 0: nowhere.
    """

    channel: ChannelId
    server: Annotated[str, msgspec.Meta(max_length=255)]
    username: Annotated[str, msgspec.Meta(max_length=128)]
    password: Annotated[str, msgspec.Meta(max_length=128)]
    tcp: PortOrNone = 0
    tls: PortOrNone = 0


class ProbeMe(Message, frozen=True, kw_only=True, tag="probe_me"):
    """Send one STUN indication from the extra port `port` to my validated address.

    Attributes:
        to: Another port of that host, where a spare socket of mine is; 0: that port.
        id: The indication's transaction id, 12 bytes; "": any.
    """

    port: Port
    to: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    id: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{24})?$", max_length=24)] = ""


class Probed(Message, frozen=True, kw_only=True, tag="probed"):
    """The indication with this transaction id has left."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{24}$", max_length=24)]


RelayMessage = (
    Enter
    | Welcome
    | Publish
    | Published
    | Unpublish
    | Observed
    | Connect
    | Connected
    | Refused
    | Incoming
    | Closed
    | Reveal
    | Revealed
    | Summoned
    | Draining
    | TurnWanted
    | TurnGranted
    | ProbeMe
    | Probed
)
