"""Spare sockets: opened for a search, numbered, closed when it is over.

They belong to the endpoint, which looks at what arrives there as at its own, but admits
nobody through them: a spare carries keyed checks, and a link that exists already.
"""

from collections.abc import Callable, Iterable

from wzp_cli.address import Address
from wzp_cli.endpoint.sockets.wire import ErrorSink, Wire

__all__ = ["SpareSink", "Spares"]

SpareSink = Callable[[bytes, Address, int], None]
"""Takes a datagram, its source, and the number of the spare that it came to."""


class Spares:
    """The spare sockets of one endpoint."""

    def __init__(self, open_wire: Callable[[], Wire] | None, sink: SpareSink) -> None:
        """Take what opens one more socket (None: nothing does), and what is fed."""
        self._open_wire, self._sink = open_wire, sink
        self._wires: dict[int, Wire] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._wires)

    def open(self, count: int) -> list[int]:
        """Open so many, or as many as the system lets us; return their numbers.

        A number is never used again.
        """
        opened: list[int] = []
        while self._open_wire is not None and len(opened) < count:
            try:
                wire = self._open_wire()
            except OSError:  # out of descriptors, buffers or ports: fewer will do
                break
            self._last += 1
            self._wires[self._last] = wire
            wire.start(self._sink_of(self._last))
            opened.append(self._last)
        return opened

    def send(
        self,
        number: int,
        datagram: bytes,
        to: Address,
        ttl: int | None = None,
        *,
        whole: bool = False,
    ) -> None:
        """Send through a spare; drop what would go through one that is closed."""
        wire = self._wires.get(number)
        if wire is not None:
            wire.send(datagram, to, ttl=ttl, whole=whole)

    def watch_errors(self, number: int, sink: ErrorSink) -> bool:
        """Tell `sink` what becomes of a spare's datagrams; whether the system does."""
        wire = self._wires.get(number)
        return wire is not None and wire.watch_errors(sink)

    def port(self, number: int) -> int | None:
        """Return the port that a spare is bound to; None: it is closed."""
        wire = self._wires.get(number)
        return None if wire is None else wire.local.port

    def close(self, numbers: Iterable[int]) -> None:
        """Close these; one that is closed already stays so."""
        for number in list(numbers):
            wire = self._wires.pop(number, None)
            if wire is not None:
                wire.close()

    def close_all(self) -> None:
        """Close every one."""
        self.close(self._wires)

    def _sink_of(self, number: int) -> Callable[[bytes, Address, str], None]:
        return lambda datagram, source, _own: self._sink(datagram, source, number)
