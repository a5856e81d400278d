"""What `traverse` runs: pairs of NATs, and one call between fresh processes."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import _rivals
from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.port_mapper import mapping_router
from tests.netlab.program import Program, Stage, Wzp

DELAY_MS = 20
HOPS = 6
SEARCH_S = 16
SOUND = ("--in", "tone", "--out", "null")


@dataclass(frozen=True)
class Row:
    """A pair of kinds: who they are in docs/nat.md, and the least share to reach.

    `together`: both are on one LAN of kind `a`. `ipv6`: both have it. `maps`: the
    second one's router gives a port to who asks.
    """

    pair: str
    a: str
    b: str
    goal: float
    together: bool = False
    ipv6: bool = False
    maps: bool = False

    @property
    def name(self) -> str:
        words = [self.a] if self.together else [self.a, self.b]
        more = {"lan": self.together, "ipv6": self.ipv6, "mapped": self.maps}
        return "+".join(words + [word for word, is_so in more.items() if is_so])


ROWS = (
    Row("P x X", "open", "symmetric-random", 1.0),
    Row("F x X", "full-cone-user", "symmetric-random", 1.0),
    Row("A x A", "address-restricted", "address-restricted", 1.0),
    Row("A x R", "address-restricted", "port-restricted", 1.0),
    Row("A x Q", "address-restricted", "symmetric-sequential", 0.99),
    Row("A x X", "address-restricted", "symmetric-random", 0.99),
    Row("R x R", "masquerade-drop", "masquerade-drop", 0.99),
    Row("R x Rp", "masquerade-drop", "masquerade-accept", 0.99),
    Row("Rp x Rp", "masquerade-accept", "masquerade-accept", 0.99),
    Row("R x Q", "port-restricted", "symmetric-sequential", 0.95),
    Row("R x X", "masquerade-drop", "fully-random", 0.98),
    Row("Q x Q", "symmetric-sequential", "symmetric-sequential", 0.0),
    Row("Q x X", "symmetric-sequential", "symmetric-random", 0.0),
    Row("X x X", "symmetric-random", "symmetric-random", 0.0),
    Row("D x D", "carrier", "carrier", 0.99),
    Row("D x X", "carrier", "symmetric-random", 0.98),
    Row("same LAN", "masquerade-drop", "", 1.0, together=True),
    Row("IPv6 both", "fully-random", "fully-random", 1.0, ipv6=True),
)
BESIDE = (
    Row("X x mapped", "symmetric-random", "fully-random", 1.0, maps=True),
    Row("B x R", "udp-blocked", "masquerade-drop", 0.0),
    Row("B x B", "udp-blocked", "udp-blocked", 0.0),
)
"""What no forecast goes by: a port of the router's, and networks without UDP."""


class Pair:
    """One laboratory with a relay, and calls between its two ends."""

    def __init__(self, row: Row, lab: Lab, folder: Path) -> None:
        self._row, self._lab, self._folder = row, lab, folder
        self._stage = Stage(lab, folder)
        self._stage.relay("r1", *(["--tcp", "[::]:443"] if _without_udp(row) else []))

    def ends(self, number: int) -> tuple[str, str]:
        """Who calls whom: from a to b or, every other time, from b to a."""
        here, there = "a", "a2" if self._row.together else "b"
        return (here, there) if number % 2 else (there, here)

    def connect(self, rival: str, number: int) -> dict[str, object]:
        """Let a rival connect the two ends once."""
        return _rivals.connect(rival, self._lab, *self.ends(number))

    def call(self, number: int) -> dict[str, object]:
        """Call once."""
        here, there = self.ends(number)
        one = Wzp(self._lab.host(here), self._folder / f"{number}-caller")
        two = Wzp(self._lab.host(there), self._folder / f"{number}-callee")
        at = self._stage.at()
        listener = two.start("listen", *at, "--auto-answer", "all", "--once", *SOUND)
        try:
            callee = listener.wait_for("ready")["id"]
            if self._row.maps and there == "b":
                listener.wait_for("port.mapped")
            caller = one.start(
                "call", callee, *at, *SOUND, "--duration", f"{SEARCH_S}s"
            )
            try:
                _watch(caller)
                end = caller.wait_end()
            finally:
                caller.kill()
        finally:
            if not listener.all("end"):
                listener.terminate()
                listener.wait_end()
        return _figures(caller, end)


def _without_udp(row: Row) -> bool:
    return "udp-blocked" in (row.a, row.b)


def _watch(caller: Program) -> None:
    """Hang up as soon as there is nothing more to see."""
    told_at = 0.0
    while True:
        time.sleep(0.05)
        names = [event["event"] for event in caller.events]
        if "end" in names:
            return
        direct = caller.all("path.changed", path="direct")
        vain = caller.all("path.planned", strategy="relay") and _talked_s(caller) > 2.5
        settled = bool(direct or vain)
        if settled and "media.started" in names:
            told_at = told_at or time.monotonic()
            if time.monotonic() > told_at + 0.3:
                caller.terminate()  # a shell's background jobs ignore SIGINT
                return


def _talked_s(caller: Program) -> float:
    answered = caller.all("answered")
    return (caller.events[-1]["t_ms"] - answered[0]["t_ms"]) / 1000 if answered else 0.0


def _figures(caller: Program, end: dict[str, object]) -> dict[str, object]:
    planned = caller.all("path.planned")
    return {
        "strategy": planned[0]["strategy"] if planned else None,
        "planned_ms": planned[0]["elapsed_ms"] if planned else None,
        **{
            key: end[key]
            for key in ("exit", "time_to_direct_ms", "first_audio_ms", "why_not_direct")
        },
    }


@contextmanager
def laboratory(row: Row, folder: Path, who: str) -> Iterator[Pair]:
    """Build what a row needs, and what `who` needs in it."""
    kinds = [row.a] if row.together else [row.a, row.b]
    hosts = 2 if row.together else 1
    specs = [
        SiteSpec("ab"[n], kind, hosts=hosts, delay_ms=DELAY_MS)
        for n, kind in enumerate(kinds)
    ]
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(*specs, hops=HOPS, ipv6=row.ipv6))
        stack.enter_context(_rivals.prepared(who, lab))
        if row.maps:
            router = lab.host("b-nat1")
            stack.enter_context(mapping_router(router, folder / "router"))
        yield Pair(row, lab, folder)
