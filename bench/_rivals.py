"""What others connect in the same laboratory: aioice, node-datachannel, hyperdht.

Each end is a small program in `rivals/` that speaks JSON lines: `signal` goes to the
other end, through us, 40 ms later (as through wzp's relay); `connected` or `failed` is
its verdict. Time counts, as for wzp, from the answer: from the first word of the end
that answers, until both ends are connected. None of them has a relay here.
"""

import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.netlab.lab import Host, Lab

NAMES = ("aioice", "node-datachannel", "hyperdht")
SIGNAL_S = 0.040
PATIENCE_S = 20.0
STUN_PORT = 4433
DHT_PORT = 49737

_FOLDER = Path(__file__).parent / "rivals"


class Unavailable(Exception):
    """A rival can't run here; says why."""


def why_not(name: str) -> str | None:
    """Say what keeps a rival from running; None if nothing."""
    if name == "aioice":
        return None
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no node or npm"
    if not (_FOLDER / "node_modules" / name).is_dir():
        words = ["npm", "install", "--no-package-lock", "--no-audit", "--silent"]
        done = subprocess.run(
            words, cwd=_FOLDER, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"npm could not install it: {done.stderr.strip()[-200:]}"
    return None


class _End:
    """One end: its lines come out of a queue with the time they were read."""

    def __init__(self, host: Host, words: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = host.popen(
            words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        self.lines: queue.SimpleQueue[tuple[float, dict]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.put((time.monotonic(), json.loads(line)))
        self.lines.put((time.monotonic(), {"failed": "it ended"}))

    def tell(self, signal: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"signal": signal}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return  # it has ended, and says so itself

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def prepared(name: str, lab: Lab) -> Iterator[None]:
    """Start what a rival needs on the servers, beside the relay, which answers STUN."""
    if name != "hyperdht":
        yield
        return
    nodes = []
    try:
        for number, server in enumerate(("r1", "r2", "r3")):
            host = lab.host(server)
            place = [host.address, str(DHT_PORT)]
            bootstrap = [f"{lab.host('r1').address}:{DHT_PORT}"] if number else []
            role = "node" if number else "first"
            nodes.append(_End(host, [*_command(name), role, *place, *bootstrap]))
            _, said = nodes[-1].lines.get(timeout=PATIENCE_S)
            if "ready" not in said:
                raise Unavailable(f"a node of its network: {said}")
        yield
    finally:
        for node in nodes:
            node.close()


def connect(name: str, lab: Lab, here: str, there: str) -> dict[str, object]:
    """Connect `here` to `there` once; the figures, as `_traverse.py` has them."""
    server = lab.host("r1").address
    words = [server, str(STUN_PORT)]
    if name == "hyperdht":
        words = [f"{server}:{DHT_PORT}"]
    ends = [
        _End(lab.host(host), [*_command(name), role, *words])
        for host, role in ((here, "offers"), (there, "answers"))
    ]
    try:
        time_s, reason = _introduce(*ends)
    finally:
        for end in ends:
            end.close()
    return {
        "exit": 0,
        "time_to_direct_ms": None if time_s is None else round(time_s * 1000, 1),
        "why_not_direct": reason,
    }


def _command(name: str) -> list[str]:
    if name == "aioice":
        return [sys.executable, str(_FOLDER / "aioice_peer.py")]
    return ["node", str(_FOLDER / f"{name.replace('-', '_')}_peer.mjs")]


def _introduce(one: _End, two: _End) -> tuple[float | None, str | None]:
    """Pass signals on until both are connected; the time it took, or why not."""
    deadline = time.monotonic() + PATIENCE_S
    on_the_way: list[tuple[float, _End, object]] = []
    answered: float | None = None
    connected: dict[_End, float] = {}
    while time.monotonic() < deadline:
        for end, other in ((one, two), (two, one)):
            while not end.lines.empty():
                at, said = end.lines.get()
                if "failed" in said:
                    return None, str(said["failed"])
                if "connected" in said:
                    connected.setdefault(end, at)
                elif "signal" in said:
                    on_the_way.append((at + SIGNAL_S, other, said["signal"]))
                    if end is two:
                        answered = answered or at
        if len(connected) == 2 and answered is not None:
            return max(connected.values()) - answered, None
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, other, signal = on_the_way.pop(0)
            other.tell(signal)
        time.sleep(0.002)
    return None, f"not in {PATIENCE_S:.0f} s"
