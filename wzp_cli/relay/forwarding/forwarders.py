"""A relay's forwarders: started, told of their channels, heard, and started again.

Each has a socket on the relay's port that this process never closes. So what comes
while one is started again waits in that socket, and the kernel's numbers stay. Whose a
channel is stands in its ids; number 0 is the relay itself.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.defaults.relay import (
    FORWARDER_AGAIN_S,
    FORWARDER_MAX_UNHEARD_BYTES,
    FORWARDER_SILENT_S,
)
from wzp_cli.endpoint.sockets.shared_port import number_of
from wzp_cli.endpoint.sockets.udp import lost_unread
from wzp_cli.endpoint.sockets.wire import Losses
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.events import Report, Warned
from wzp_cli.protocol.messages.signal import MessageDecoder, encode
from wzp_cli.protocol.relay_facts import ForwarderFacts
from wzp_cli.relay.forwarding.messages import (
    Account,
    ForwarderMessage,
    Way,
    Ways,
    pieces,
)

__all__ = ["Forwarders"]

_COMMAND = (sys.executable, "-P", "-m", "wzp_cli.relay.forwarding.forwarder")
"""-P: nothing is imported from the folder where the relay happens to be started."""
_READ_BYTES = 65536


@dataclass(slots=True, eq=False)
class _Seat:
    """The place of one forwarder, whichever process has it at the moment.

    Attributes:
        port: Its socket on the relay's port.
        ways: What it is to know.
        cpu_s: What all that sat here have used.
    """

    port: socket.socket
    ways: dict[bytes, Way] = field(default_factory=dict)
    cpu_s: float = 0.0
    process: asyncio.subprocess.Process | None = None
    writer: asyncio.StreamWriter | None = None

    def tell(self, *messages: Ways) -> None:
        if self.writer is None:
            return  # it will be told all, once it is there
        for message in messages:
            self.writer.write(encode(message))
        unheard = self.writer.transport.get_write_buffer_size()
        if unheard > FORWARDER_MAX_UNHEARD_BYTES and self.process is not None:
            self.process.kill()


class Forwarders:
    """The forwarders of one relay.

    Attributes:
        on_account: Called with what each of them tells of itself, set by the relay.
        own_host: Which own host to send from to an address, set by the relay.
        restarts: How often one was started again.
    """

    def __init__(self, ports: Sequence[socket.socket], report: Report) -> None:
        """Take the sockets beside the relay's own, and what takes warnings."""
        self.on_account: Callable[[Account], None] = lambda account: None
        self.own_host: Callable[[Address], str] = lambda address: ""
        self.restarts = self._unsent = 0
        self._seats = [_Seat(port) for port in ports]
        self._report = report

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        processes = [seat.process for seat in self._seats]
        return [process.pid for process in processes if process is not None]

    @property
    def losses(self) -> Losses:
        """What this machine has lost of theirs."""
        return Losses(sum(lost_unread(s.port) for s in self._seats), self._unsent)

    def facts(self) -> ForwarderFacts:
        """Return what there is to know now."""
        return ForwarderFacts(
            running=len(self.pids),
            restarts=self.restarts,
            cpu_s=[round(seat.cpu_s, 3) for seat in self._seats],
        )

    # -- what the table of channels asks and tells

    def choose(self) -> int:
        """Return whose a new channel should be: who runs, and has the least."""
        running = [
            (len(seat.ways), number)
            for number, seat in enumerate(self._seats, 1)
            if seat.process is not None
        ]
        return min(running)[1] if running else 0

    def number_of(self, send_id: bytes) -> int:
        """Return whose frames with this id are."""
        return number_of(send_id, 1 + len(self._seats))

    def tell(self, send_id: bytes, source: Address, to: Address) -> None:
        """Have these frames forwarded, if they are not our own to forward."""
        if (number := self.number_of(send_id)) == 0:
            return
        way = Way(send_id, source, to, self.own_host(to))
        seat = self._seats[number - 1]
        seat.ways[send_id] = way
        seat.tell(Ways(open=[way]))

    def forget(self, send_id: bytes) -> None:
        """Have these frames dropped from now on."""
        if (number := self.number_of(send_id)) == 0:
            return
        seat = self._seats[number - 1]
        if seat.ways.pop(send_id, None) is not None:
            seat.tell(Ways(over=[send_id]))

    # -- processes

    async def keep(self) -> None:
        """Keep all of them running, until cancelled; then none is left."""
        async with task_group() as group:
            for number, seat in enumerate(self._seats, 1):
                group.create_task(self._keep(number, seat))

    async def _keep(self, number: int, seat: _Seat) -> None:
        now = asyncio.get_running_loop().time
        while True:
            began_s = now()
            try:
                why = await self._run(seat)
            except TimeoutError:
                why = f"was silent for {FORWARDER_SILENT_S:g} s"
            except (OSError, RemoteProtocolError) as error:
                why = f"failed ({error})"
            self.restarts += 1
            told = f"forwarder {number} {why}; another one takes over its calls"
            self._report(Warned(code="forwarder", message=told))
            if now() < began_s + FORWARDER_AGAIN_S:
                await asyncio.sleep(FORWARDER_AGAIN_S)

    async def _run(self, seat: _Seat) -> str:
        """Run one process to its end; return what became of it, in words.

        Raises:
            TimeoutError: It is silent.
            OSError: It can't be started, or reached.
            RemoteProtocolError: It says what it should not.
        """
        ours, theirs = socket.socketpair()
        reader, seat.writer = await asyncio.open_unix_connection(sock=ours)
        try:
            seat.tell(*(Ways(open=some) for some in pieces([*seat.ways.values()])))
            with theirs:
                descriptors = (seat.port.fileno(), theirs.fileno())
                seat.process = await asyncio.create_subprocess_exec(
                    *_COMMAND,
                    *map(str, descriptors),
                    pass_fds=descriptors,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    process_group=0,
                )
            await self._listen(seat, reader)
            return f"ended ({await seat.process.wait()})"
        finally:
            seat.writer.close()
            process, seat.process, seat.writer = seat.process, None, None
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _listen(self, seat: _Seat, reader: asyncio.StreamReader) -> None:
        """Take what it tells of itself, until it ends."""
        decoder: MessageDecoder[ForwarderMessage] = MessageDecoder(
            ForwarderMessage, limit_bytes=MAX_MESSAGE_BYTES
        )
        while True:
            async with asyncio.timeout(FORWARDER_SILENT_S):
                data = await reader.read(_READ_BYTES)
            if not data:
                return
            for message in decoder.feed(data):
                if isinstance(message, Account):
                    seat.cpu_s += message.cpu_s
                    self._unsent += message.unsent
                    self.on_account(message)
