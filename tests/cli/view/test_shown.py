"""The screen as people see it: real terminals, a real relay, calls with every key."""

import re

import pytest

from tests.support.processes import Processes, User
from tests.support.tmux import Tmux, Window

SOUND = ["--in", "tone", "--out", "null"]


def ticket(window: Window) -> str:
    """Return the ticket as it is copied from the screen: one line."""
    found = re.search(r"'(wzp:[^' ]+)'", window.joined)
    assert found, window.joined
    return found[1]


def befriend(user: User, other: User, name: str) -> None:
    (user.state / "contacts").write_text(f"{other.id} - {name}\n")


def state(window: Window) -> str:
    found = re.search(r"^  state +(.*?) *$", window.text, re.MULTILINE)
    return found[1] if found else ""


def loud(window: Window, label: str) -> bool:
    found = re.search(rf"^  {label} +[━╸─]+ +(\S+)", window.text, re.MULTILINE)
    return found is not None and found[1] != "silent"


def becomes(window: Window, words: str) -> None:
    window.wait(lambda text: state(window).startswith(words), f"state {words}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_two_listeners_and_a_caller_with_every_key(
    columns: int, rows: int, processes: Processes, tmux: Tmux, relay: str
) -> None:
    bob, carol = processes.user("bob"), processes.user("carol")
    alice = processes.user("alice", WZP_NAME="Al [bold]x[/bold]")
    befriend(bob, alice, "Alice")
    his, hers, ours = [tmux.window(who, columns, rows) for who in (bob, carol, alice)]
    his.wzp("listen", "--relay", relay, *SOUND)
    hers.wzp("listen", "--relay", relay, *SOUND, "--auto-answer", "all")
    at_bob = his.wait_for("Listening for calls", f"registered at {relay}", "wzp call '")
    assert "answers   you are asked" in at_bob
    assert "answers   everybody" in hers.wait_for("wzp call '", "answers")

    to_bob, to_carol = ticket(his), ticket(hers)

    # It rings; one key answers.
    ours.wzp("call", to_bob, *SOUND)
    at_bob = his.wait_for("Incoming call", "y answer", "n decline")
    assert re.search(r"^  Alice +rings 00:0", at_bob, re.MULTILINE)
    assert 'calls themselves "Al [bold]x[/bold]" (not verified)' in at_bob
    ours.wait_for("Ringing at", "give up")
    his.press("y")

    # Both see each other, the path and its reason, both levels, quality.
    for window, who in ((his, "contact"), (ours, "not one of your contacts")):
        shown = window.wait_for(
            *("directly with ", "a better route was found", who),
            *("both sides are heard", "they hear us: ", "q hang up", " %", " ms"),
        )
        assert re.search(r"^  delay +[▁▂▃▄▅▆▇█]+ +\d+ ms$", shown, re.MULTILINE)
    ours.wait(lambda text: loud(ours, "you") and loud(ours, "peer"), "loud")

    # Mute, push-to-talk, hold: at both ends.
    ours.press("m")
    becomes(ours, "MUTED")
    his.wait(lambda text: not loud(his, "Alice"), "Alice silent")
    ours.hold("Space", lambda text: "you are heard while you hold space" in text)
    becomes(ours, "PUSH TO TALK")
    ours.press("m")
    becomes(ours, "both sides are heard")
    his.wait(lambda text: loud(his, "Alice"), "Alice heard")
    his.press("h")
    becomes(his, "ON HOLD BY YOU")
    becomes(ours, "ON HOLD BY THE PEER")
    ours.press("h")
    becomes(ours, "ON HOLD BY BOTH")
    his.press("h")
    ours.press("h")
    becomes(ours, "both sides are heard")

    # The other pages, a paste that does nothing, another size.
    ours.press("p")
    ours.wait_for("The path that sound takes", "What was done to find it", "Tried ")
    ours.press("d")
    ours.wait_for("test tone", "nothing", "wzp devices")
    ours.press("?")
    ours.wait_for("Keys", "push to talk", "Ctrl-Z")
    ours.press("Escape")
    ours.wait_for("both sides are heard")
    tmux.command("set-buffer", "mqh")
    tmux.command("paste-buffer", "-p", "-t", ours.name)
    ours.resize(44, 9)
    whole = ("both sides are heard", "? help  q hang up")
    ours.wait(
        lambda text: "space" not in text and all(word in text for word in whole),
        "a small screen with what matters",
    )
    ours.resize(columns, rows)
    ours.wait_for("both sides are heard", "space talk")

    # Somebody else calls meanwhile; then he hangs up; what was is listed.
    other = tmux.window(carol, 80, 24)
    other.wzp("call", to_bob, *SOUND, "--port", "0", behind="; echo code $?")
    other.wait_for("wzp: the peer is in another call.", "code 5")
    his.press("q")
    ours.wait_for("The call is over: the peer hung up.", "Sound was ")
    assert "Call with " in ours.scrollback
    at_bob = his.wait_for("Listening for calls", "Alice: 00:", "Sound was ")
    assert "you were in another call" in at_bob

    # One declines, one gives up, one is answered by itself.
    ours.say("true")
    ours.wzp("call", to_bob, *SOUND, behind="; echo code $?")
    his.wait_for("Incoming call")
    his.press("n")
    ours.wait_for("wzp: the peer declined", "code 5")
    his.wait_for("Alice: declined")
    ours.say("true")
    ours.wzp("call", to_bob, *SOUND, behind="; echo code $?")
    his.wait_for("Incoming call")
    ours.wait_for("Ringing at", "q give up")
    ours.press("q")
    ours.wait_for("code 130")
    his.wait_for("missed Alice: gave up")
    ours.say("true")
    ours.wzp("call", to_carol, *SOUND, "--duration", "2s", behind="; echo code $?")
    ours.wait_for("we hung up (time is up)", "code 0")

    # The listeners stop: what was stays in the scrollback.
    his.press("q")
    assert "Missed: Alice: gave up" in his.wait_for("Missed: Alice: gave up", "$")
    assert "Alice: 00:" in his.scrollback
    hers.press("q")
    hers.wait_for("Sound was ")


def test_plain_lines_where_they_are_wanted(
    processes: Processes, tmux: Tmux, relay: str
) -> None:
    bob = processes.user("bob")
    window = tmux.window(bob, 80, 24)
    window.wzp("listen", "--relay", relay, *SOUND, "--plain")
    window.wait_for("Ready for calls. To be called:", "Registered at relay")
    assert not window.is_alternate
    window.press("C-c")
    bob.environment["WZP_PLAIN"] = "true"
    window = tmux.window(bob, 80, 24)
    window.wzp("listen", "--relay", relay, *SOUND)
    window.wait_for("Ready for calls. To be called:")
    assert not window.is_alternate


@pytest.mark.parametrize(
    ("words", "behind", "shown"),
    [
        ("-v", "", "Ready for calls."),
        ("--json", "", '"event":"ready"'),
        ("--once", "2>&1 | cat", "Ready for calls."),
    ],
)
def test_no_screen_for_who_reads_lines(
    words: str, behind: str, shown: str, processes: Processes, tmux: Tmux, relay: str
) -> None:
    window = tmux.window(processes.user("bob"), 80, 24)
    words_before = ["listen", *SOUND, words, "--relay", relay]
    window.wzp(*words_before, behind=behind)
    window.wait(lambda text: shown in window.joined, shown)
    assert not window.is_alternate


def test_no_colour_where_none_is_wanted(
    processes: Processes, tmux: Tmux, relay: str
) -> None:
    colour = re.compile(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])(;\d+)*m")
    bob = processes.user("bob")
    window = tmux.window(bob, 80, 24)
    window.wzp("listen", "--relay", relay, *SOUND)
    window.wait_for(f"● registered at {relay}")
    assert colour.search(window.ansi)
    bob.environment["NO_COLOR"] = "1"
    window = tmux.window(bob, 80, 24)
    window.wzp("listen", "--relay", relay, *SOUND)
    window.wait_for(f"● registered at {relay}")
    assert not colour.search(window.ansi)
    assert "\x1b[1m" in window.ansi, "bold is no colour"


def test_a_terminal_that_knows_no_unicode(
    processes: Processes, tmux: Tmux, relay: str
) -> None:
    bob = processes.user("bob")
    bob.environment |= {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    bob.environment["PYTHONIOENCODING"] = "ascii"
    window = tmux.window(bob, 80, 24)
    window.wzp("listen", "--relay", relay, *SOUND)
    assert window.wait_for(f"* registered at {relay}", "q stop").isascii()
