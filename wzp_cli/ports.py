"""What the services need from outside, as types. Adapters fit them by shape."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from wzp_cli.address import Address
from wzp_cli.errors import WzpError

__all__ = [
    "Codec",
    "ControlChannel",
    "FindInterfaces",
    "FleetBus",
    "FrameSink",
    "FrameSource",
    "Interface",
    "LookByTcp",
    "OpenCodec",
    "OpenRecording",
    "OpenSound",
    "PlayTone",
    "PortMapping",
    "Recording",
    "RelayPins",
    "Sound",
]


class FrameSource(Protocol):
    """Where spoken sound comes from, at the source's own pace."""

    async def read(self) -> bytes | None:
        """Return the next frame, or None when the source has ended for good.

        Returns:
            pcm: int16 little-endian, 960 samples (1920 bytes), mono, 48 kHz, 20 ms.
        """
        ...


class FrameSink(Protocol):
    """Where heard sound goes. The device's own clock sets the pace."""

    async def wanted(self) -> None:
        """Return when the device wants the next 20 ms."""
        ...

    def write(self, pcm: bytes) -> None:
        """Take the next 20 ms (as `FrameSource.read` gives it). Never blocks."""
        ...


class Codec(Protocol):
    """One encoder and one decoder for one call; used from one thread.

    Attributes:
        bitrates_bps: The constant bitrates that speech may be sent at, best first.
        bitrate_bps: The one of now; another one counts from the next frame on.
    """

    name: str
    payload_type: int
    bitrates_bps: tuple[int, ...]
    bitrate_bps: int

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet for one frame of 20 ms."""
        ...

    def decode(self, packet: bytes) -> bytes:
        """Return the 20 ms of a packet; a damaged packet is concealed."""
        ...

    def conceal(self) -> bytes:
        """Return 20 ms in place of a lost packet."""
        ...


class Sound(Protocol):
    """A call's open ends."""

    @property
    def source(self) -> FrameSource:
        """Where spoken sound comes from."""
        ...

    @property
    def sink(self) -> FrameSink:
        """Where heard sound goes."""
        ...

    @property
    def failed(self) -> WzpError | None:
        """Why one of them stopped working during the call, or None."""
        ...


class Recording(Protocol):
    """Keeps what is said in a call, one side a channel. Never blocks, never fails."""

    def said(self, pcm: bytes) -> None:
        """Keep 20 ms of our own voice (as `FrameSource.read` gives it)."""
        ...

    def heard(self, pcm: bytes) -> None:
        """Keep 20 ms of the peer's."""
        ...


class Interface(Protocol):
    """One address of one of this machine's interfaces."""

    @property
    def host(self) -> str:
        """The address, numeric."""
        ...

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """The network that it is on."""
        ...


class PortMapping(Protocol):
    """A port of the router's that leads to the one socket, while it can be had."""

    @property
    def external(self) -> Address | None:
        """Where packets come in for us; None: there is none, or not yet."""
        ...

    @property
    def watchers(self) -> set[Callable[[], None]]:
        """Called when `external` has changed."""
        ...


class ControlChannel(Protocol):
    """One connection between two wzp of the same user, seen from either end."""

    async def receive(self) -> bytes | None:
        """Return the next line without its end; None: the other side has left.

        Raises:
            RemoteProtocolError: The line is too long.
        """
        ...

    async def send(self, line: bytes) -> None:
        """Send one line. Raises ConnectionLost where nobody takes it."""
        ...

    async def left(self) -> None:
        """Return when the other side has left."""
        ...


class FleetBus(Protocol):
    """Questions and answers between the relays of a fleet."""

    @property
    def up(self) -> bool:
        """Whether it can be asked right now."""
        ...

    async def ask(self, subject: str, question: bytes) -> list[bytes]:
        """Return the answers of the others who hold `subject`; [] if nobody does.

        Raises:
            ConnectionLost: It is not up, or whoever holds it is silent.
        """
        ...

    async def hold(
        self, subject: str, answer: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        """From now on, answer those who ask `subject`."""
        ...

    async def drop(self, subject: str) -> None:
        """Undo `hold`."""
        ...

    async def settle(self) -> None:
        """Return when others find what we hold, or can't just now."""
        ...


class LookByTcp(Protocol):
    """What TCP can tell where no UDP comes back."""

    async def reaches(self, address: Address) -> bool:
        """Whether a host is there."""
        ...

    async def captive_portal(self) -> bool | None:
        """Whether this network answers in place of the web; None: it can't be told."""
        ...


OpenSound = Callable[[], AbstractAsyncContextManager[Sound]]
"""Opens what the user named; raises SoundError."""

OpenRecording = Callable[[], AbstractAsyncContextManager[Recording]]
"""Begins to record one call."""

PlayTone = Callable[[], AbstractAsyncContextManager[None]]
"""Plays a tone, as long as the block lasts."""

OpenCodec = Callable[[str | None], tuple[Codec, str | None]]
"""Opens the codec of a name, or (None) the best one, with a notice if it is poor."""

FindInterfaces = Callable[[], Sequence[Interface]]
"""Lists own addresses without loopback and link-local ones."""


class RelayPins(Protocol):
    """What is remembered of relays met before: keys, and where they take TCP."""

    def pinned(self, relay: str) -> bytes | None:
        """Return the raw Ed25519 key pinned for `relay` ("host:port"), if any."""
        ...

    def pin(self, relay: str, key: bytes) -> None:
        """Remember the key of a relay met for the first time."""
        ...

    def tcp_port(self, relay: str) -> int | None:
        """Return the TCP port that `relay` has told, if it has."""
        ...

    def note_tcp_port(self, relay: str, port: int) -> None:
        """Remember it."""
        ...
