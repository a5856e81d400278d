"""What a network that blocks UDP costs at the start: by TLS, and by UDP beside it.

One laboratory, one relay 40 ms away, two pairs of sites in turn: one pair lets no UDP
out, the other has ordinary routers. Each call is a new process with a new identity.
"""

import sys
import tempfile
from pathlib import Path

from bench._stage import introduce, median_p95, show
from bench.setup import ROWS, figures_of
from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.program import Program, Stage, Wzp

CALLS = 10
ONE_WAY_MS = 20.0
PAIRS = {"UDP": ("masquerade-drop", "ab"), "TLS": ("udp-blocked", "cd")}
SOUND = ("--in", "tone", "--out", "null")


def main() -> None:
    """Call CALLS times by each, and print medians."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    introduce(
        "blocked [CALLS]", "wzp call IDENTITY --relay R, 40 ms away, from two NATs"
    )
    sites = [
        SiteSpec(site, kind, delay_ms=ONE_WAY_MS)
        for kind, ends in PAIRS.values()
        for site in ends
    ]
    figures = {way: {name: [] for name in ROWS.values()} for way in PAIRS}
    with tempfile.TemporaryDirectory() as home, Lab(*sites, hops=6) as lab:
        stage = Stage(lab, Path(home))
        stage.relay("r1", "--tcp", "[::]:443")
        listeners = {way: listening(stage, ends[1]) for way, (_, ends) in PAIRS.items()}
        for number in range(calls):
            for way, (_, ends) in PAIRS.items():
                caller = Wzp(lab.host(ends[0]), Path(home) / f"{way}-{number}")
                events = called(caller, stage, listeners[way])
                for name, value in figures_of(events).items():
                    if value is not None:
                        figures[way][name].append(value)
    rows = [
        [
            f"{words}, by {way}",
            str(len(figures[way][name])),
            *median_p95(figures[way][name]),
        ]
        for words, name in ROWS.items()
        for way in PAIRS
        if figures[way][name]
    ]
    show("set-up at 40 ms from the relay, ms", ["", "n", "median", "p95"], rows)


def listening(stage: Stage, host: str) -> str:
    """Let somebody take calls; return who."""
    words = ("--auto-answer", "all", "--no-portmap", *SOUND)
    listener = stage.user(host).start("listen", *stage.at(), *words)
    return listener.wait_for("ready")["id"]


def called(caller: Wzp, stage: Stage, callee: str) -> list[dict]:
    """Call for two seconds; return what was told."""
    words = (*stage.at(), "--duration", "2s", "--no-portmap", *SOUND)
    calling: Program = caller.start("call", callee, *words)
    calling.wait_end()
    return calling.events


if __name__ == "__main__":
    main()
