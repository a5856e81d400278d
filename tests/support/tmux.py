"""Real terminals for wzp's screen: windows of a tmux server of the test's own.

    with Tmux(tmp_path) as tmux:
        window = tmux.window(user, 80, 24)     # a shell, as its user would have it
        window.run("call", ticket)
        window.wait_for("Ringing")
        window.press("m")
        window.modes()                         # what `stty -a` says afterwards

What a window shows is read again and again until it is so, or too late.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.processes import User
from tests.support.requirements import require

__all__ = ["Tmux", "Window", "need_tmux"]

_ROOT: Final = Path(__file__).parents[2]
_WAIT_S: Final = 30.0
"""How long anything may take on a busy machine."""

_LOOK_S: Final = 0.1


def need_tmux() -> None:
    """Skip the test where there is no tmux."""
    if shutil.which("tmux") is None:
        require("tmux", "it is not installed")


class Tmux:
    """A server with a socket, and nothing of the user's configuration."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._windows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.command("kill-server", check=False)

    def command(self, *words: str, check: bool = True) -> str:
        """Run a tmux command; return what it prints."""
        argv = ["tmux", "-f", "/dev/null", "-S", str(self._directory / "tmux"), *words]
        ran = subprocess.run(
            argv, capture_output=True, text=True, check=check, timeout=_WAIT_S
        )
        return ran.stdout

    def window(self, user: User, columns: int, rows: int) -> "Window":
        """Open a terminal with a shell in it."""
        self._windows += 1
        name = f"w{self._windows}"
        variables = {**user.environment, "PS1": "$ ", "HISTFILE": "/dev/null"}
        shell = ["env", "-i", *(f"{key}={value}" for key, value in variables.items())]
        self.command(
            *("new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows)),
            *("-c", str(_ROOT)),
            *shell,
            *("TERM=tmux-256color", "bash", "--norc", "--noprofile"),
        )
        window = Window(self, name)
        window.wait_for("$")
        return window


class Window:
    """A terminal, and the person in front of it."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        """Show the window of that name."""
        self._tmux = tmux
        self.name = name
        self._commands = 0

    @property
    def text(self) -> str:
        """What it shows now, without trailing blanks."""
        return self._tmux.command("capture-pane", "-p", "-t", self.name)

    @property
    def ansi(self) -> str:
        """The same with colours."""
        return self._tmux.command("capture-pane", "-p", "-e", "-t", self.name)

    @property
    def joined(self) -> str:
        """The same, each line as it was written, however it is wrapped."""
        return self._tmux.command("capture-pane", "-pJ", "-t", self.name)

    @property
    def scrollback(self) -> str:
        """All that was shown on the first screen, wrapped lines as one."""
        return self._tmux.command("capture-pane", "-pJ", "-S", "-", "-t", self.name)

    def wzp(self, *words: str, behind: str = "") -> None:
        """Type a command of wzp at the shell; `behind` follows it."""
        quoted = " ".join(f"'{word}'" for word in words)
        self.type(f"{sys.executable} -m wzp_cli {quoted} {behind}".strip())
        self.press("Enter")

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux.command("send-keys", "-t", self.name, "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: m, Space, C-c, Enter."""
        self._tmux.command("send-keys", "-t", self.name, *keys)

    def hold(self, key: str, is_so: Callable[[str], bool]) -> None:
        """Hold a key, as a keyboard repeats it, until something is so."""

        def look(text: str) -> bool:
            self.press(key)
            return is_so(text)

        self.wait(look, key)

    def resize(self, columns: int, rows: int) -> None:
        """Make it larger or smaller."""
        size = ("-x", str(columns), "-y", str(rows))
        self._tmux.command("resize-window", "-t", self.name, *size)

    def wait_for(self, *words: str) -> str:
        """Return what it shows as soon as all of the words are there."""
        return self.wait(lambda text: all(word in text for word in words), words)

    def wait_gone(self, *words: str) -> str:
        """Return what it shows as soon as none of the words is there."""
        return self.wait(lambda text: not any(word in text for word in words), words)

    def wait(self, is_so: Callable[[str], bool], what: object) -> str:
        """Return what it shows as soon as something is so."""
        deadline = time.monotonic() + _WAIT_S
        while not is_so(text := self.text):
            assert time.monotonic() < deadline, f"no {what} in:\n{text}"
            assert "internal error" not in text, text
            time.sleep(_LOOK_S)
        return text

    def say(self, command: str) -> str:
        """Run a command of the shell; return what it prints."""
        self._commands += 1
        end = f"=end {self._commands}="
        self.type(f"clear; {command}; echo '={'end'}' '{self._commands}='")
        self.press("Enter")
        shown = self.wait(lambda text: f"=end {self._commands}=" in text, end)
        return shown.partition("=end")[0]

    def modes(self) -> frozenset[str]:
        """Return how the terminal is set."""
        said = self.say("stty -a | tail -n +2")
        return frozenset(re.findall(r"[^\s;]+", said)) - {"$"}

    @property
    def process(self) -> int:
        """The process that runs in the foreground of the shell."""
        shell = self._tmux.command("display", "-p", "-t", self.name, "#{pane_pid}")
        found = subprocess.run(
            ["pgrep", "-P", shell.strip()], capture_output=True, text=True, check=True
        )
        return int(found.stdout.split()[0])

    @property
    def is_alternate(self) -> bool:
        """Whether the other screen is shown."""
        return self._flag("alternate_on")

    @property
    def has_cursor(self) -> bool:
        """Whether the cursor is shown."""
        return self._flag("cursor_flag")

    def _flag(self, name: str) -> bool:
        said = self._tmux.command("display", "-p", "-t", self.name, f"#{{{name}}}")
        return said.strip() == "1"
