"""Calls one after the other across random pairs of NATs and impairments: what leaks?

One laboratory with a home of each kind, a listener in each that lives through all
calls, one relay. Each call: two different homes by lot, a new caller, some loss on the
caller's link by lot, and in each third call the direct path is cut once it is there.
After each call everybody is counted: sockets and other descriptors, threads, memory of
relay and listeners, channels and links at the relay, ports that the mapping router
sends on; at the end namespaces, too. Exits 1 where something has not come back.

With --minutes it goes on for so long, and after each tenth call the network is away for
everybody until the relay is given up: all listeners register again.
"""

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench._stage import introduce, show
from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.port_mapper import external_ports, mapping_router
from tests.netlab.program import Program, Stage, Wzp

KINDS = (
    "open",
    "masquerade-drop",
    "masquerade-accept",
    "carrier",
    "fully-random",
    "address-restricted",
    "port-restricted",
    "symmetric-sequential",
    "symmetric-random",
)
MAPS_PORTS = "e"  # the site of fully-random
SOUND = ("--in", "tone", "--out", "null")
TALK_S = 6
QUIET_S = 45.0
"""How long leftovers may stay: a last word that is lost is missed at 30 s."""
LOSSES_PCT = (0.0, 0.0, 2.0, 10.0)
AROUND_CALLS = 5
START_S = 60.0
"""How long nine listeners take to start, on a machine that is busy otherwise."""
OUTAGE_EACH_CALLS = 10
OUTAGE_MAX_S = 90.0
"""A keep-alive (25 s), its answer (4 s), and pauses that have grown."""
GROWTH_MIB = 4.0
"""Of a process, in the second half: beyond it, memory is not flat."""


@dataclass
class Count:
    """What a process holds."""

    descriptors: int
    sockets: int
    threads: int
    mib: float

    @classmethod
    def of(cls, pid: int) -> "Count":
        """Count it now."""
        links = []
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(
            descriptors=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            threads=len(os.listdir(f"/proc/{pid}/task")),
            mib=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        )

    @property
    def handles(self) -> tuple[int, int, int]:
        """What must not be more after a call than before all of them."""
        return self.descriptors, self.sockets, self.threads


@dataclass
class Soak:
    """The laboratory, who lives in it, and what was counted."""

    stage: Stage
    relay: Program
    listeners: dict[str, Program]
    chance: random.Random
    folder: Path
    first: dict[str, Count] = field(default_factory=dict)
    counts: list[dict[str, Count]] = field(default_factory=list)
    paths: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    registrations: int = 0

    def count(self) -> dict[str, Count]:
        """Count every process that lives through all calls."""
        programs = {"relay": self.relay, **self.listeners}
        return {name: Count.of(program.pid) for name, program in programs.items()}

    def warm_up(self) -> None:
        """Call everybody once: a first call loads what stays."""
        names = sorted(self.listeners)
        for number, there in enumerate(names):
            self._call(names[number - 1], there, f"warm-{there}")
        time.sleep(QUIET_S)
        self.first = self.count()
        self.paths.clear()

    def call(self, number: int) -> None:
        """Call once, and count when everything has come to rest."""
        here, there = self.chance.sample(sorted(self.listeners), 2)
        loss_pct = self.chance.choice(LOSSES_PCT)
        if loss_pct:
            self.stage.lab.drop_share(here, loss_pct)
        self._call(here, there, str(number), cut=number % 3 == 0)
        self.stage.lab.restore()
        self.counts.append(self._at_rest(number))

    def outage(self) -> None:
        """Cut everybody off until they give the relay up, and let them come back."""
        for name in self.listeners:
            self.stage.lab.drop_share(name, 100.0)
        for name, listener in self.listeners.items():
            self._await(name, listener, "warning", code="relay_lost")
        self.stage.lab.restore()
        for name, listener in self.listeners.items():
            # One such event for each time, the first of them from the start.
            self._await(name, listener, "registered", published=True)
            self.registrations += 1
        if left := self._at_rest_or_left():
            self.faults.append(f"after an outage: {left}")

    def _await(self, name: str, listener: Program, kind: str, **fields: object) -> None:
        try:
            listener.wait_for(kind, OUTAGE_MAX_S, **fields)
        except AssertionError as error:
            self.faults.append(f"{name}: {str(error).splitlines()[0]}")

    def _call(self, here: str, there: str, name: str, *, cut: bool = False) -> None:
        caller = Wzp(self.stage.lab.host(here), self.folder / f"caller-{name}")
        callee = self.stage.user(there).id
        words = ("call", callee, *self.stage.at(), *SOUND, "--duration", f"{TALK_S}s")
        program = caller.start(*words)
        if cut:
            _wait_direct(program)
            self.stage.lab.cut(here, there)
        end = program.wait_end(60)
        heard = (end.get("frames") or {}).get("received", 0)
        self.paths.append((end["path"] or "none", f"{here}-{there}"))
        if end["exit"] or not heard:
            said = program.all("error")
            self.faults.append(f"call {name} {here}-{there}: {end['exit']}, {said}")

    def _at_rest(self, number: int) -> dict[str, Count]:
        if left := self._at_rest_or_left():
            self.faults.append(f"after call {number}: {left}")
        return self.count()

    def _at_rest_or_left(self) -> str:
        """Wait until everything is as before; what is not after a while is a leak."""
        deadline = time.monotonic() + QUIET_S
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _left(self) -> str:
        for name, count in self.count().items():
            first = self.first[name]
            if any(n > m for n, m in zip(count.handles, first.handles, strict=True)):
                return f"{name} holds {count}, at first {first}"
        told = self.relay.all("relay.stats")[-1]
        if told["channels"] or told["links"] != len(self.listeners):
            return f"the relay has {told}"
        ports = external_ports(self.stage.lab.host(f"{MAPS_PORTS}-nat1"))
        if len(ports) != 1:  # the listener's own
            return f"the router maps {ports}"
        return ""


def _wait_direct(program: Program) -> None:
    deadline = time.monotonic() + TALK_S / 2
    while time.monotonic() < deadline:
        if program.all("path.changed", path="direct"):
            time.sleep(0.3)
            return
        time.sleep(0.05)


@contextmanager
def soak(seed: int) -> Iterator[Soak]:
    """Build the laboratory and start who lives in it."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wzp-")))
        specs = [
            SiteSpec(chr(ord("a") + n), kind, delay_ms=chance.choice((5, 20, 60)))
            for n, kind in enumerate(KINDS)
        ]
        lab = stack.enter_context(Lab(*specs, hops=4))
        stack.enter_context(
            mapping_router(lab.host(f"{MAPS_PORTS}-nat1"), folder / "router")
        )
        stage = Stage(lab, folder)
        relay = stage.relay()
        listeners = {}
        for spec in specs:
            words = ("listen", *stage.at(), "--auto-answer", "all", *SOUND)
            listeners[spec.name] = stage.user(spec.name).start(*words)
        for name, listener in listeners.items():
            listener.wait_for("registered", START_S, published=True)
            stage.user(name).id = listener.wait_for("ready", START_S)["id"]
        listeners[MAPS_PORTS].wait_for("port.mapped", START_S)
        relay.wait_for("relay.stats", START_S, links=len(listeners))
        time.sleep(3.0)  # everybody has asked its router
        living = Soak(stage, relay, listeners, chance, folder)
        living.warm_up()
        yield living
        for listener in listeners.values():
            listener.terminate()
        for listener in listeners.values():
            listener.wait_end()
        left = external_ports(lab.host(f"{MAPS_PORTS}-nat1"))
        if left:
            living.faults.append(f"the router still maps {left}")


def _namespaces(prefix: str) -> list[str]:
    words = ["ip", "netns", "list"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith(prefix)]


def _growth(living: Soak) -> list[list[str]]:
    """One row for each process; note what grows on in the second half."""
    rows = []
    for name, first in living.first.items():
        mib = [count[name].mib for count in living.counts]
        at = [
            statistics.median(mib[max(0, end - AROUND_CALLS) : end])
            for end in (len(mib) * quarter // 4 or 1 for quarter in range(1, 5))
        ]
        last = living.counts[-1][name]
        rows.append(
            [
                name,
                f"{first.sockets}",
                f"{last.sockets}",
                f"{first.descriptors}",
                f"{last.descriptors}",
                *(f"{each:.1f}" for each in at),
            ]
        )
        if at[-1] - at[1] > GROWTH_MIB:
            living.faults.append(f"{name} has grown from {at[1]:.1f} to {at[-1]:.1f}")
    return rows


def _go_on(living: Soak, seconds: float) -> None:
    until = time.monotonic() + seconds
    for number in itertools.count(1):
        living.call(number)
        if time.monotonic() > until:
            return
        if number % OUTAGE_EACH_CALLS == 0:
            living.outage()


def main() -> None:
    """Call, count, tell; exit 1 for anything that is left."""
    parser = argparse.ArgumentParser(prog="dev.py bench soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--minutes", type=float, help="in place of a number of calls")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    length = f"--calls {options.calls}"
    if options.minutes is not None:
        length = f"--minutes {options.minutes:g}"
    introduce(
        f"soak {length} --seed {options.seed}",
        "wzp listen in nine homes, wzp call between two of them by lot",
    )
    with soak(options.seed) as living:
        if options.minutes is None:
            for number in range(1, options.calls + 1):
                living.call(number)
        else:
            _go_on(living, 60 * options.minutes)
        rows = _growth(living)
        prefix = living.stage.lab.host("a").namespace.rpartition("-")[0]
    if left := _namespaces(prefix):
        living.faults.append(f"namespaces are left: {left}")
    direct = sum(path == "direct" for path, _ in living.paths)
    head = ["process", "sockets", "after", "files", "after", "MiB, 1/4", "1/2", "3/4"]
    head.append("end")
    again = f", {living.registrations} registrations again" if options.minutes else ""
    show(f"{len(living.counts)} calls, {direct} ended direct{again}", head, rows)
    if living.faults:
        sys.exit("\n".join(living.faults))


if __name__ == "__main__":
    main()
