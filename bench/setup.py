"""How long until one hears the other: set-up times over loopback, process to process.

Relay, listener and each caller are processes of their own. Each caller has a fresh
identity, because a relay lets one identity start 20 calls a minute.
"""

import sys

from bench._stage import folder, introduce, listener, median_p95, relay, running, show

CALLS = 30
WORDS = ("--in", "tone", "--out", "null", "--duration", "700ms")
ROWS = {
    "start-up to the socket bound": "bound_ms",
    "relay connect: bound to registered": "registered_ms",
    "call set-up: call to answer": "setup_ms",
    "answer to first sound heard": "first_audio_ms",
    "answer to direct": "time_to_direct_ms",
}


def main() -> None:
    """Call CALLS times and print medians."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    introduce("setup [CALLS]", f"wzp call IDENTITY --relay R {' '.join(WORDS)}")
    figures: dict[str, list[float]] = {name: [] for name in ROWS.values()}
    failures: list[str] = []
    with (
        folder() as home,
        relay(home) as (_, server),
        listener(home, server) as (_, identity),
    ):
        for number in range(calls):
            where = ("--state-dir", str(home / f"a{number}"), "--relay", server)
            with running("call", identity, *WORDS, *where) as caller:
                caller.until("end")
            failures += [e["message"] for e in caller.events if e["event"] == "error"]
            for name, value in figures_of(caller.events).items():
                if value is not None:
                    figures[name].append(value)
    rows = [
        [words, str(len(figures[name])), *median_p95(figures[name])]
        for words, name in ROWS.items()
    ]
    show("set-up over loopback, ms", ["", "n", "median", "p95"], rows)
    for message in failures:
        sys.stdout.write(f"one call failed: {message}\n")


def figures_of(events: list[dict]) -> dict[str, float | None]:
    """Return the times of a call that was made, by ROWS."""
    at_ms = {event["event"]: event["t_ms"] for event in reversed(events)}
    end = events[-1]
    return {
        "bound_ms": at_ms["bound"],
        "registered_ms": at_ms["registered"] - at_ms["bound"],
        "setup_ms": end["setup_ms"],
        "first_audio_ms": end["first_audio_ms"],
        "time_to_direct_ms": end["time_to_direct_ms"],
    }


if __name__ == "__main__":
    main()
