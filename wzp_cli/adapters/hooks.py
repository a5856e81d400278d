"""The user's own programs, run when something happens.

    --on incoming=CMD       argv out of CMD alone; the event is one line on its stdin

No shell, and nothing of an event in the words of a program. For each kind of event one
program at a time; what comes meanwhile waits, and of too much the oldest is dropped. A
program that takes longer than `HOOK_TIMEOUT_S` is killed, with all that it has started.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import (
    HOOK_EVENTS_WAITING,
    HOOK_LAST_WAIT_S,
    HOOK_OUTPUT_BYTES,
    HOOK_TIMEOUT_S,
)
from wzp_cli.protocol.names.text import clean

__all__ = ["Argv", "HookRunner", "are_hooks_possible"]

Argv = tuple[str, ...]
_LOG: Final = logging.getLogger("wzp.hook")
_LINE_CHARACTERS: Final = 500


def are_hooks_possible() -> bool:
    """Return whether this system's event loop can start programs."""
    return sys.platform != "win32"


class HookRunner:
    """Runs programs for events, beside everything else.

    Attributes:
        dropped: Events that no program was run for, by kind.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[Argv]],
        environment: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        """Take what to run for each kind of event, and whom to tell what failed."""
        self.dropped = dict.fromkeys(commands, 0)
        self._commands = commands
        self._environment = environment
        self._warn = warn
        self._waiting: dict[str, asyncio.Queue[bytes | None]] = {
            kind: asyncio.Queue(HOOK_EVENTS_WAITING) for kind in commands
        }

    def put(self, kind: str, line: bytes) -> None:
        """Have the programs for this kind of event run, if there are any."""
        queue = self._waiting.get(kind)
        if queue is not None:
            self._put(kind, queue, line)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run programs while the block runs; the last ones have a little time then."""
        async with task_group() as group:
            tasks = [group.create_task(self._serve(kind)) for kind in self._commands]
            try:
                yield
            finally:
                for kind, queue in self._waiting.items():
                    self._put(kind, queue, None)
                if tasks:
                    await asyncio.wait(tasks, timeout=HOOK_LAST_WAIT_S)
                for task in tasks:
                    task.cancel()

    def _put(
        self, kind: str, queue: "asyncio.Queue[bytes | None]", line: bytes | None
    ) -> None:
        if queue.full():  # old news is worth least
            queue.get_nowait()
            self.dropped[kind] += 1
        queue.put_nowait(line)

    async def _serve(self, kind: str) -> None:
        told = 0
        while (line := await self._waiting[kind].get()) is not None:
            if self.dropped[kind] > told:
                told = self.dropped[kind]
                self._warn(f"hooks of {kind} are too slow: {told} events left out")
            for argv in self._commands[kind]:
                await self._run(kind, argv, line)

    async def _run(self, kind: str, argv: Argv, line: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, program = await loop.subprocess_exec(
                _Program,
                *argv,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._warn(f"the hook of {kind} could not be started: {error}")
            return
        try:
            async with asyncio.timeout(HOOK_TIMEOUT_S):
                program.feed(line)
                await program.exited.wait()
        except TimeoutError:
            self._warn(f"the hook of {kind} was killed: it took {HOOK_TIMEOUT_S:g} s")
        finally:
            program.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOOK_LAST_WAIT_S):
                    await program.exited.wait()
                    await program.silent.wait()  # what it said may still be on its way
            transport.close()
        code = transport.get_returncode() or 0
        if code > 0:
            self._warn(f"the hook of {kind} ended with exit code {code}")
        program.log(kind, logging.WARNING if code else logging.INFO)


class _Program(asyncio.SubprocessProtocol):
    """One program: what it is given, what it says, and its end.

    Attributes:
        exited: Set when it has ended, whatever it has started.
        silent: Set when nobody holds its output any more.
    """

    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self._said = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the program's transport."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def feed(self, line: bytes) -> None:
        """Give it the line, and no more; that it does not read is no error."""
        stdin = self._transport.get_pipe_transport(0)
        if isinstance(stdin, asyncio.WriteTransport):
            stdin.write(line)
            stdin.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the beginning of what it says."""
        self._said += data[: HOOK_OUTPUT_BYTES - len(self._said)]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Note that nobody holds its output any more."""
        if fd == 1:
            self.silent.set()

    def process_exited(self) -> None:
        """Note that it has ended, whatever it has started."""
        self.exited.set()

    def kill(self) -> None:
        """Kill what still runs: it, or what it started and holds its output."""
        if not (self.silent.is_set() and self.exited.is_set()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)

    def log(self, kind: str, level: int) -> None:
        """Log what it said, cleaned line by line."""
        for line in self._said.decode("utf-8", "replace").splitlines():
            _LOG.log(level, "%s: %s", kind, clean(line, _LINE_CHARACTERS))
