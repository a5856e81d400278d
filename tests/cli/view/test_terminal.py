"""The terminal is given back as it was, however the screen ends: shells in tmux."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.support.processes import Processes
from tests.support.tmux import Tmux, Window
from wzp_cli.cli.view.terminal import can_hold

SOUND = ["--in", "tone", "--out", "null"]


class Scene:
    """Bob listens and answers everybody; Alice calls him at a terminal."""

    def __init__(self, processes: Processes, tmux: Tmux) -> None:
        self.bob = processes.user("bob").start(
            *("listen", "--auto-answer", "all", "--direct", "anyone"), *SOUND
        )
        port = self.bob.wait_for("bound")["port"]
        self.bob.wait_for("ready")
        self.window = tmux.window(processes.user("alice"), 80, 24)
        self.before = self.window.modes()
        self.to = f"127.0.0.1:{port}"

    def call(self, *words: str, behind: str = "") -> Window:
        """Let Alice call; return her terminal as soon as both are heard."""
        words = words or tuple(SOUND)
        self.window.wzp("call", self.to, *words, behind=behind)
        self.window.wait_for("both sides are heard", "q hang up")
        assert self.window.is_alternate
        assert not self.window.has_cursor
        return self.window

    def is_as_before(self) -> bool:
        """Whether the terminal is given back."""
        window = self.window
        whole = not window.is_alternate and window.has_cursor
        return whole and window.modes() == self.before


@pytest.fixture
def scene(processes: Processes, tmux: Tmux) -> Scene:
    return Scene(processes, tmux)


def ends_by_key(scene: Scene) -> None:
    scene.window.press("q")
    scene.window.wait_for("we hung up", "code 0")


def ends_by_ctrl_c(scene: Scene) -> None:
    scene.window.press("C-c")
    scene.window.wait_for("we hung up", "code 130")


def ends_by_sigterm(scene: Scene) -> None:
    os.kill(scene.window.process, signal.SIGTERM)
    scene.window.wait_for("we hung up", "code 143")


def ends_by_a_peer_that_is_killed(scene: Scene) -> None:
    os.kill(scene.bob.pid, signal.SIGKILL)
    scene.window.wait_for("it was lost", "wzp: the peer is gone", "code 4")


@pytest.mark.parametrize(
    "ends",
    [ends_by_key, ends_by_ctrl_c, ends_by_sigterm, ends_by_a_peer_that_is_killed],
    ids=lambda ends: ends.__name__,
)
def test_the_terminal_is_as_it_was(ends: Callable[[Scene], None], scene: Scene) -> None:
    scene.call(behind="; echo code $?")
    ends(scene)
    assert "Call with " in scene.window.scrollback
    assert scene.is_as_before()


def test_an_error_gives_it_back(scene: Scene) -> None:
    scene.window.wzp(
        *("call", scene.to, "--in", "tone", "--out", "file:/dev/full"),
        *("--duration", "2s"),
        behind="; echo code $?",
    )
    scene.window.wait_for("code 7")
    assert scene.is_as_before()


def test_a_pipe_that_is_closed_gives_it_back(scene: Scene) -> None:
    words = ["--in", "tone", "--out", "-"]
    scene.call(*words, behind="| head -c 400000 >/dev/null; echo code ${PIPESTATUS[0]}")
    shown = scene.window.wait_for("code ")
    assert "Traceback" not in shown
    assert scene.is_as_before()


def test_to_the_shell_and_back(scene: Scene) -> None:
    window = scene.call(behind="; echo code $?")
    for _ in range(2):
        window.press("C-z")
        window.wait_for("Stopped")
        assert scene.is_as_before()
        window.type("fg")
        window.press("Enter")
        window.wait_for("both sides are heard", "q hang up")
        assert window.is_alternate
    window.press("m")
    window.wait_for("MUTED")
    window.press("q")
    window.wait_for("we hung up")
    assert scene.is_as_before()


def test_stopped_from_outside_and_let_go_on(scene: Scene) -> None:
    window = scene.call()
    process = window.process
    os.kill(process, signal.SIGSTOP)
    window.wait_for("Stopped")
    window.press("C-l", "C-u")
    window.type("fg")
    window.press("Enter")
    window.wait_for("both sides are heard", "q hang up")
    window.press("q")
    window.wait_for("we hung up")
    assert scene.is_as_before()


def test_what_is_written_to_standard_error_comes_after_the_screen(
    scene: Scene,
) -> None:
    window = scene.call()
    with open(f"/proc/{window.process}/fd/2", "wb", buffering=0) as theirs:
        theirs.write(b"ALSA lib complains\n")
    time.sleep(0.5)
    assert "ALSA" not in window.text
    window.press("q")
    window.wait_for("ALSA lib complains", "we hung up")


def test_a_job_in_the_background_draws_nothing(
    processes: Processes, tmux: Tmux, relay: str
) -> None:
    window = tmux.window(processes.user("bob"), 80, 24)
    words = ["listen", "--auto-answer", "all", "--relay", relay, *SOUND]
    window.wzp(*words, behind="&")
    window.wait_for("Ready for calls.")
    assert not window.is_alternate
    window.type("kill %1")
    window.press("Enter")


def test_nobody_sits_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not can_hold()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.platform", "win32")
    assert not can_hold()
