"""Hooks as real programs: what they are given, and what becomes of bad ones."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from wzp_cli.adapters import hooks
from wzp_cli.adapters.hooks import HookRunner, are_hooks_possible
from wzp_cli.defaults.program import HOOK_EVENTS_WAITING, HOOK_OUTPUT_BYTES

pytestmark = pytest.mark.skipif(
    not are_hooks_possible(), reason="no programs are run here"
)


def program(text: str) -> tuple[str, ...]:
    """Return the argv of a program in Python."""
    return (sys.executable, "-c", text)


def run(
    commands: dict[str, list[tuple[str, ...]]],
    play: Callable[[HookRunner], Awaitable[None]],
) -> list[str]:
    """Play with hooks; return the warnings."""
    warned: list[str] = []

    async def scenario() -> None:
        runner = HookRunner(commands, {**os.environ, "MARK": "here"}, warned.append)
        async with runner.running():
            await play(runner)

    asyncio.run(scenario())
    return warned


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again, beside the loop."""

    def look() -> None:
        while not is_so():
            time.sleep(0.01)

    await asyncio.to_thread(look)


def is_gone(pid: int) -> bool:
    """Return whether a process is no more, or only waits to be buried."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def test_the_event_is_the_line_on_standard_input_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = (
        "import os, sys, json; from pathlib import Path\n"
        "said = [sys.argv[1:], sys.stdin.read(), os.environ['MARK']]\n"
        f"Path({str(out)!r}).write_text(json.dumps(said))"
    )

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b'{"name":"$(reboot)"}\n')
        runner.put("hangup", b"nobody runs for this\n")

    assert run({"incoming": [(*program(text), "$(x)", "*", "a b")]}, play) == []
    assert json.loads(out.read_text()) == [
        ["$(x)", "*", "a b"], '{"name":"$(reboot)"}\n', "here"
    ]  # fmt: skip


def test_one_at_a_time_and_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = (
        "import sys, time\n"
        f"log = open({str(log)!r}, 'a')\n"
        "line = sys.stdin.readline().strip()\n"
        "print('begin', line, file=log, flush=True); time.sleep(0.05)\n"
        "print('end', line, file=log, flush=True)"
    )

    async def play(runner: HookRunner) -> None:
        for number in range(3):
            runner.put("stats", b"%d\n" % number)

    assert run({"stats": [program(text)]}, play) == []
    said = log.read_text().splitlines()
    assert said == [f"{word} {n}" for n in range(3) for word in ("begin", "end")]


def test_a_program_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HOOK_TIMEOUT_S", 0.5)
    pids = tmp_path / "pids"
    text = (
        "import os, signal, subprocess, sys, time; from pathlib import Path\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '99'])\n"
        f"new = Path({str(tmp_path / 'new')!r})\n"
        "new.write_text(f'{os.getpid()} {child.pid}')\n"
        f"new.rename({str(pids)!r})\n"
        "time.sleep(99)"
    )
    after = tmp_path / "after"

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b"{}\n")
        runner.put("hangup", b"{}\n")
        await until(after.exists)  # other kinds of events do not wait

    warned = run({"incoming": [program(text)], "hangup": [("touch", str(after))]}, play)
    if pids.exists():  # it was quick enough to have children
        for pid in map(int, pids.read_text().split()):
            asyncio.run(until(partial(is_gone, pid)))
    assert warned == ["the hook of incoming was killed: it took 0.5 s"]


def test_what_a_program_leaves_behind_on_its_output_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    words = f"sleep 99 & echo $! > {tmp_path}/new; mv {tmp_path}/new {pid}"

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b"{}\n")
        await until(pid.exists)
        await until(lambda: is_gone(int(pid.read_text())))

    assert run({"incoming": [("sh", "-c", words)]}, play) == []


def test_the_end_does_not_wait_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HOOK_LAST_WAIT_S", 0.2)
    began = tmp_path / "began"
    words = f"touch {began}; sleep 99"
    at = time.monotonic()

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b"{}\n")
        await until(began.exists)

    assert run({"incoming": [("sh", "-c", words)]}, play) == []
    assert time.monotonic() - at < 60


def test_too_many_events_lose_the_oldest(tmp_path: Path) -> None:
    log = tmp_path / "log"
    many = HOOK_EVENTS_WAITING + 10

    async def play(runner: HookRunner) -> None:
        for number in range(many):
            runner.put("stats", b"%d\n" % number)
        assert runner.dropped == {"stats": 10}
        await until(lambda: log.exists() and f"{many - 1}\n" in log.read_text())

    warned = run({"stats": [("sh", "-c", f"cat >> {log}")]}, play)
    assert warned == ["hooks of stats are too slow: 10 events left out"]
    assert log.read_text().splitlines() == [f"{n}" for n in range(10, many)]


def test_what_fails_is_told_and_what_is_said_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = r"printf 'it \033[31mbroke\n'; exit 3"

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b"{}\n")

    caplog.set_level(logging.INFO, "wzp.hook")
    commands = {"incoming": [("sh", "-c", words), ("/nowhere",), ("echo", "fine")]}
    warned = run(commands, play)
    assert warned[0] == "the hook of incoming ended with exit code 3"
    assert warned[1].startswith("the hook of incoming could not be started:")
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [("WARNING", "incoming: it [31mbroke"), ("INFO", "incoming: fine")]


def test_a_program_that_reads_nothing_or_says_too_much_ends_as_any(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "wzp.hook")

    async def play(runner: HookRunner) -> None:
        runner.put("incoming", b"x" * 300_000)

    words = "exec <&-; yes | head -c 300000"
    assert run({"incoming": [("sh", "-c", words)]}, play) == []
    said = [record for record in caplog.records if record.getMessage().endswith(": y")]
    assert 1000 < len(said) <= HOOK_OUTPUT_BYTES // len("y\n")
