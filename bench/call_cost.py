"""What a call costs: CPU time and memory of both ends and of the relay, over 20 s.

Read from /proc while the call runs, from a second after the answer on; so without
start-up and handshakes.
"""

import sys
import time

from bench._stage import Program, folder, introduce, listener, relay, running, show
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.protocol.media.babble import babble

SECONDS = 20
SETTLE_S = 1.0
WORDS = ("--in", "tone", "--out", "null")


def main() -> None:
    """Make one call over the relay and one direct call, and print their costs."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    introduce(
        "call_cost [SECONDS]", f"wzp call IDENTITY --relay R {' '.join(WORDS)} (tone)"
    )
    before_us = _encode_us()
    rows = [
        row
        for name, policy in (("relay", "always-relay"), ("direct", "after-answer"))
        for row in _measure(name, policy, seconds)
    ]
    head = ["path, process", "CPU %", "CPU ms a second", "MiB", "went"]
    show(f"cost of one call, mean of {seconds} s (100 % is one core)", head, rows)
    sys.stdout.write(
        f"yardstick: Opus encodes a frame in {before_us:.0f} us of CPU before, "
        f"{_encode_us():.0f} us after\n"
    )


def _measure(name: str, policy: str, seconds: int) -> list[list[str]]:
    with (
        folder() as home,
        relay(home) as (server, address),
        listener(home, address) as (callee, identity),
        running(
            *("call", identity, *WORDS),
            *("--state-dir", str(home / "a"), "--relay", address),
            WZP_PRIVACY=policy,
        ) as caller,
    ):
        caller.until("media.started")
        time.sleep(SETTLE_S)
        programs = {"wzp call": caller, "wzp listen": callee, "wzp relay": server}
        shares = _shares(programs, seconds)
        went = caller.until("stats")["path"]
        return [
            [
                f"{name}, {who}",
                f"{100 * share:.1f}",
                f"{1000 * share:.0f}",
                f"{programs[who].resident_mib():.0f}",
                went,
            ]
            for who, share in shares.items()
        ]


def _encode_us() -> float:
    """Return the CPU time that one frame costs here and now: a core's speed varies."""
    codec, sound = open_opus(), babble()
    ends = range(MEDIA_FRAME_BYTES, len(sound) + 1, MEDIA_FRAME_BYTES)
    began_s = time.process_time()
    for end in ends:
        codec.encode(sound[end - MEDIA_FRAME_BYTES : end])
    return 1e6 * (time.process_time() - began_s) / len(ends)


def _shares(programs: dict[str, Program], seconds: int) -> dict[str, float]:
    """Return the share of a core that each used during so many seconds."""
    before = {who: program.cpu_s() for who, program in programs.items()}
    began_s = time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - began_s
    return {
        who: (program.cpu_s() - before[who]) / elapsed_s
        for who, program in programs.items()
    }


if __name__ == "__main__":
    main()
