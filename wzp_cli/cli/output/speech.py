"""All that one run of a command says, and where: chosen once, then only spoken to.

Standard output is data, standard error is talk. Under --json, standard output has one
document, or a stream of events; `--events` gets the stream in parallel, always.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from wzp_cli.cli.command import Lend, Outcome, Voice
from wzp_cli.cli.output.channels import StandardOutput, open_events, say
from wzp_cli.cli.output.document import DocumentVoice
from wzp_cli.cli.output.event_stream import EventStream
from wzp_cli.cli.output.failure import exit_code, problem, sentence
from wzp_cli.cli.output.patience import PatientWriter
from wzp_cli.cli.output.sentences import PersonVoice
from wzp_cli.events import Ended, Event, Warned

__all__ = ["Speech"]


class Speech:
    """What a command says, from its first event to its exit code.

    `closed` is called when whoever read standard output has gone.
    """

    def __init__(
        self,
        command: str,
        *,
        json: bool,
        stream: bool,
        quiet: bool,
        verbose: bool = False,
        answers: bool = False,
        closed: Callable[[BaseException], None],
    ) -> None:
        self._started_s = time.monotonic()
        self._exit = 0
        self._stdout = stdout = StandardOutput(closed)
        self._json = json
        self._patient: PatientWriter | None = None
        voice: Voice
        if not json:
            voice = PersonVoice(
                stdout.write, quiet=quiet, verbose=verbose, answers=answers
            )
        elif stream:
            self._patient = PatientWriter(stdout.write)
            voice = EventStream(self._patient.put, started_s=self._started_s)
        else:
            voice = DocumentVoice(command, stdout.write, self._started_s)
        self._voices: list[Voice] = [voice]
        self._person = None if json or quiet else voice
        self._aside: BinaryIO | None = None

    def also_to(self, where: str) -> None:
        """Send the stream of events to `where` ("PATH" or "fd:N"), too.

        Raises:
            UsageError: No such open descriptor.
            EnvironmentFault: The file can't be written.
        """
        self._aside = open_events(where)
        aside = EventStream(self._write_aside, started_s=self._started_s)
        self._voices.append(aside)

    @property
    def lend(self) -> Lend | None:
        """Lets another voice talk to the person; None where nobody is talked to."""
        return None if self._person is None else self._lent

    @contextmanager
    def _lent(self, other: Voice) -> Iterator[None]:
        """Have `other` talk in the place of the person's own voice for a while."""
        assert self._person is not None
        at = self._voices.index(self._person)
        self._voices[at] = other
        try:
            yield
        finally:
            self._voices[at] = self._person

    def report(self, event: Event) -> None:
        """Tell one event to all who listen."""
        if isinstance(event, Ended):
            self._exit = event.exit
        for voice in self._voices:
            voice.report(event)

    def close(self, outcome: Outcome | None, error: BaseException | None) -> int:
        """Tell how it ended, and return the exit code."""
        for voice in self._voices:
            voice.close(outcome, error)
        if self._patient is not None:
            self._patient.close()
        if self._aside is not None:
            self._aside.close()
        fault = self._stdout.fault
        if self._json and fault is not None:  # where it should stand, it can't
            told = problem(fault)
            say(f"wzp: {sentence(told.message, told.hint)}")
        return self._exit if error is None else exit_code(error)

    def _write_aside(self, line: bytes) -> None:
        """Write to `--events`. That its reader has gone does not end a call."""
        if self._aside is None:
            return
        try:
            self._aside.write(line)
        except OSError as error:
            self._aside.close()
            self._aside = None
            why = f"--events takes no more: {error.strerror}"
            self.report(Warned(code="events_lost", message=why))
