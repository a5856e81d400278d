"""What `voice` runs: stacks side by side, each a call of its own over the same link.

    host a --- core (the link: loss, jitter, rate) --- host b
                 `--- r1 (wzp's relay)

Each stack has a laboratory to itself; the link of `a` is impaired in both directions,
with the same seed for all. Speech goes both ways. When all have connected, all begin to
speak at the same moment, so that a busy machine hits all alike.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import _voice_rivals
from tests.netlab.lab import Host, Lab, SiteSpec
from tests.netlab.userspace_nat import Impairment

LINK = Impairment(delay_ms=20.0)
STACKS = ("wzp relay", "wzp direct", *_voice_rivals.NAMES)
CONNECT_S = 40.0
END_S = 30.0
PEERS = Path(__file__).parent / "rivals"


@dataclass(frozen=True)
class Row:
    """A network: what is done to packets both ways, and wzp's goals on it.

    `pesq`: at least that; `delay_ms`: at most that; None where none is set.
    """

    name: str
    link: Impairment
    pesq: float | None = None
    delay_ms: float | None = None


def _lossy(percent: float, pesq: float, **more: float) -> Row:
    name = f"{percent:g} % loss"
    return Row(name, replace(LINK, loss_pct=percent, **more), pesq)


ROWS = (
    Row("no loss", LINK, 4.2, 60.0),
    _lossy(5, 4.0),
    _lossy(10, 3.8),
    _lossy(20, 3.5),
    _lossy(30, 2.9),
    Row("10 % in threes", replace(LINK, loss_pct=10.0, burst_packets=3.0), 3.2),
    Row("20 ms jitter", replace(LINK, jitter_ms=20.0, jitter="exponential")),
    Row("40 kbit/s", replace(LINK, rate_kbps=40.0)),
)


@dataclass(frozen=True)
class Script:
    """What is said: the file, and which part of it is measured, in seconds."""

    speech: Path
    from_s: float
    for_s: float

    def words(self, heard: Path) -> list[str]:
        """Return what an end is told."""
        times = ("--from", f"{self.from_s:g}", "--for", f"{self.for_s:g}")
        return ["--speech", str(self.speech), *times, "--heard", str(heard)]


@dataclass(frozen=True)
class Heard:
    """One direction of a call, as the ends wrote it down.

    `said_s`: when each frame was said. `times`: sample of the recording, when it came.
    """

    recording: Path
    said_s: list[float]
    times: list[tuple[int, float]]


@dataclass(frozen=True)
class Call:
    """A call that came about: what was heard, and figures and events of both ends."""

    directions: list[Heard]
    figures: list[dict[str, float]]
    events: list[list[dict]]


class NoCall(Exception):
    """No call came about, or it broke off; the text says what was seen."""


class End:
    """One end (`rivals/voice_end.py`): its lines, and the files that it leaves.

    `program`: the process that it runs, if it has told one.
    """

    def __init__(self, host: Host, argv: Sequence[str], to: Path, script: Script):
        self.events: list[dict] = []
        self.heard = to
        self.program = 0
        self._talk = to.with_suffix(".stderr")
        self._lines: queue.SimpleQueue[dict] = queue.SimpleQueue()
        cut = argv.index("--") if "--" in argv else len(argv)
        words = [*argv[:cut], *script.words(to), *argv[cut:]]
        with self._talk.open("wb") as talk:
            self._process = host.popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=talk,
                env=_environment(to),
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put({"failed": "it ended"})

    def until(self, word: str, within_s: float = CONNECT_S) -> object:
        """Return what it says of this."""
        return self._next(lambda said: said.get(word), word, within_s)

    def until_event(self, name: str, **fields: object) -> dict:
        """Return the next event of this name that has these fields."""

        def fits(said: dict) -> dict | None:
            event = said.get("event", {})
            wanted = {"event": name, **fields}
            same = all(event.get(key) == value for key, value in wanted.items())
            return event if same else None

        return self._next(fits, name, CONNECT_S)

    def _next(
        self, pick: Callable[[dict], object], what: str, within_s: float
    ) -> object:
        try:
            while True:
                said = self._lines.get(timeout=within_s)
                self.program = said.get("runs", self.program)
                if "event" in said:
                    self.events.append(said["event"])
                if found := pick(said):
                    return found
                if "failed" in said:
                    break
        except queue.Empty:
            said = {"failed": f"not in {within_s:g} s"}
        told = [e for e in self.events if e["event"] in ("error", "warning", "hangup")]
        words = self._talk.read_text(errors="replace")[-300:]
        raise NoCall(f"no {what}: {said['failed']} {told} {words}")

    def tell(self, **words: object) -> None:
        """Tell it something; that it has ended, it says itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            line = json.dumps(words).encode() + b"\n"
            os.write(self._process.stdin.fileno(), line)

    def close(self) -> None:
        """End it, if it has not ended."""
        self.tell(stop=True)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment(folder: Path) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    root = str(Path(__file__).parents[1])
    return kept | {"HOME": str(folder.parent), "PYTHONPATH": root}


def round_of(
    row: Row, stacks: Sequence[str], number: int, script: Script, folder: Path
) -> dict[str, Call | NoCall]:
    """Let each stack call once; return what came of it, by name."""
    meeting = threading.Barrier(len(stacks))

    def work(stack: str) -> Call | NoCall:
        place = folder / stack.replace(" ", "-")
        place.mkdir()
        with _met(meeting) as met:
            try:
                return call(stack, row, number, script, place, met)
            except NoCall as error:
                return error

    with ThreadPoolExecutor(len(stacks)) as pool:
        return dict(zip(stacks, pool.map(work, stacks), strict=True))


@contextmanager
def _met(meeting: threading.Barrier) -> Iterator[Callable[[Sequence[End]], None]]:
    """Give what waits for the others, once; who fails before lets them go on."""
    waited = []

    def met(ends: Sequence[End]) -> None:
        waited.append(ends)
        meeting.wait()

    try:
        yield met
    finally:
        if not waited:
            meeting.wait()


def call(
    stack: str,
    row: Row,
    number: int,
    script: Script,
    place: Path,
    connected: Callable[[Sequence[End]], None],
) -> Call:
    """Call once in a laboratory; `connected` is called before both begin to speak.

    Raises:
        NoCall: It did not come about, or broke off.
    """
    seed = f"{row.name} {number}"
    spec = SiteSpec("a", "open", uplink=row.link, downlink=row.link, seed=seed)
    with (
        _before_others(),
        Lab(spec, "open", servers=("r1",)) as lab,
        _connected(stack, lab, place, script) as ends,
    ):
        connected(ends)
        for end in ends:
            end.tell(go=True)
        for end in ends:
            end.until("over", script.from_s + script.for_s + END_S)
        for end in ends:
            end.tell(stop=True)
        for end in ends:
            end.until("done", END_S)
    return _read(stack, ends)


@contextmanager
def _before_others() -> Iterator[None]:
    """What this thread starts comes before the machine's other work, if we may.

    The real-time policy, at its lowest priority: a lower nice value counts only among
    processes of one session (sched(7), "autogroup").
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def _connected(
    stack: str, lab: Lab, place: Path, script: Script
) -> Iterator[tuple[End, End]]:
    ends: list[End] = []

    def start(host: str, *argv: str) -> End:
        ends.append(End(lab.host(host), argv, place / host, script))
        return ends[-1]

    try:
        if stack.startswith("wzp"):
            _wzp(start, lab, place, stack.removeprefix("wzp "))
        elif stack == "baresip":
            _baresip(start, lab)
        else:
            _webrtc(start, stack)
        yield ends[-2], ends[-1]
    finally:
        for end in ends:
            end.close()


def _wzp(start: Callable[..., End], lab: Lab, place: Path, route: str) -> None:
    """A relay, who listens, who calls; connected on the route that is measured."""
    relay = lab.host("r1").address
    policy = "always-relay" if route == "relay" else "after-answer"
    (place / "config.toml").write_text(f'privacy = "{policy}"\n')

    def program(host: str, *words: str) -> list[str]:
        own = ("--state-dir", str(place / f"{host}-state"), "--no-input", "--quiet")
        return [sys.executable, "-m", "wzp_cli", *words, *own]

    lab.host("r1").popen(
        program("r1", "relay"),
        env=_environment(place),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sound = ("--in", "-", "--out", "-", "--relay", relay)
    sound = (*sound, "--config", str(place / "config.toml"), "--no-portmap")
    pipe = (sys.executable, str(PEERS / "pipe_peer.py"), "--")
    answer = ("--auto-answer", "all", "--once")
    callee = start("b", *pipe, *program("b", "listen", *answer, *sound))
    callee.until_event("registered", published=True)
    identity = callee.until_event("ready")["id"]
    caller = start("a", *pipe, *program("a", "call", identity, *sound))
    for end in (caller, callee):
        end.until_event("answered")
    if route == "direct":
        for end in (caller, callee):
            end.until_event("path.changed", path="direct")


def _webrtc(start: Callable[..., End], stack: str) -> None:
    program = (str(_voice_rivals.PYTHON), str(PEERS / "webrtc_peer.py"))
    answering = start("b", *program, "--stack", stack, "--role", "answers")
    offering = start("a", *program, "--stack", stack, "--role", "offers")
    answering.tell(signal=offering.until("signal"))
    offering.tell(signal=answering.until("signal"))
    for end in (offering, answering):
        end.until("connected")


def _baresip(start: Callable[..., End], lab: Lab) -> None:
    """Both ends stand ready; the caller dials at the word "go"."""
    a, b = (lab.host(name).address for name in "ab")
    program = (sys.executable, str(PEERS / "baresip_peer.py"))
    one = start("a", *program, "--role", "calls", "--at", a, "--peer", b)
    two = start("b", *program, "--role", "answers", "--at", b, "--peer", a)
    for end in (one, two):
        end.until("connected")


def _read(stack: str, ends: tuple[End, End]) -> Call:
    by_host = {end.heard.name: end for end in ends}
    notes = {
        name: json.loads(end.heard.with_suffix(".json").read_text())
        for name, end in by_host.items()
    }
    ways = ["ab"] if stack == "baresip" else ["ab", "ba"]
    return Call(
        directions=[
            Heard(
                recording=by_host[there].heard.with_suffix(".wav"),
                said_s=notes[here]["said"],
                times=notes[there]["heard"],
            )
            for here, there in ways
        ],
        figures=[note["figures"] for note in notes.values()],
        events=[end.events for end in ends],
    )


def temporary() -> tempfile.TemporaryDirectory:
    """A folder for a round."""
    return tempfile.TemporaryDirectory(prefix="wzp-voice-")
