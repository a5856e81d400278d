"""The call is the listener's, the screen is here: a real terminal, with every key."""

import asyncio
from pathlib import Path

from tests.cli.view.test_shown import becomes, loud
from tests.support.processes import Processes
from tests.support.tmux import Tmux
from wzp_cli import events
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.cli.control.placed_call import PlacedCall
from wzp_cli.defaults.program import PLACED_ORDERS_WAITING

SOUND = ("--in", "tone", "--out", "null")


def test_keys_here_switch_the_call_there(
    processes: Processes, tmux: Tmux, relay: str
) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    bob = processes.user("bob", WZP_RELAY=relay)
    here = alice.start("listen", *SOUND)
    there = bob.start("listen", "--auto-answer", "all", *SOUND)
    here.wait_for("ready")
    there.wait_for("ready")
    window = tmux.window(alice, 80, 24)
    window.wzp("call", bob.id, behind="; echo code $?")
    window.wait_for("directly with ", "both sides are heard", "q hang up", "they hear")
    window.wait(lambda text: loud(window, "you") and loud(window, "peer"), "loud")
    window.press("d")
    window.wait_for("as `wzp listen` has it")
    window.press("Escape")
    window.wait_for("both sides are heard")

    window.press("m")
    becomes(window, "MUTED")
    here.wait_for("muted", muted=True)
    window.wait(lambda text: not loud(window, "you"), "silence is sent")
    window.hold("Space", lambda text: "you are heard while you hold space" in text)
    becomes(window, "PUSH TO TALK")
    assert here.wait_for("muted", push_to_talk=True, muted=False)
    window.press("m")
    becomes(window, "both sides are heard")
    window.press("h")
    becomes(window, "ON HOLD BY YOU")
    assert there.wait_for("held")["by"] == "peer"
    window.press("h")
    becomes(window, "both sides are heard")

    # As a pedal does it: the same switches, from a third place.
    assert alice.run("talk", "off").stdout == "Released: we are not heard.\n"
    becomes(window, "PUSH TO TALK")
    pressed = alice.ask("talk").result
    assert (pressed["muted"], pressed["push_to_talk"]) == (False, True)
    assert alice.ask("talk", "toggle").result["muted"] is True
    opened = alice.ask("mute", "off").result
    assert (opened["muted"], opened["push_to_talk"]) == (False, False)
    becomes(window, "both sides are heard")

    window.press("q")
    window.wait_for("Call with ", "Sound was ", "code 0")
    assert not window.is_alternate
    assert here.wait_for("hangup")["by"] == "local"
    assert not here.all("loudness"), "that is told to who shows it alone"


def test_a_listener_that_is_killed_leaves_the_terminal_as_it_was(
    processes: Processes, tmux: Tmux
) -> None:
    alice = processes.user("alice")
    here = alice.start("listen", *SOUND)
    there = processes.user("bob").start("listen", "--auto-answer", "all", *SOUND)
    port = there.wait_for("bound")["port"]
    there.wait_for("ready")
    here.wait_for("ready")
    window = tmux.window(alice, 80, 24)
    before = window.modes()
    window.wzp("call", f"127.0.0.1:{port}", behind="; echo code $?")
    window.wait_for("both sides are heard", "q hang up")
    here.kill()
    window.wait_for("has ended", "code 1")
    assert not window.is_alternate
    assert window.modes() == before
    assert there.wait_for("hangup")["by"] == "network"


def test_a_key_that_repeats_is_one_order_and_a_flood_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        told: list[events.Event] = []
        placed = PlacedCall(open_state(tmp_path / "state"), told.append)
        assert placed.line.controls is None
        placed.report(events.Answered(peer="wzp1x"))
        assert placed.controls is placed
        for _ in range(9):
            placed.talk()
        placed.talk(False)
        assert placed._orders.qsize() == 2
        for _ in range(PLACED_ORDERS_WAITING * 2):
            placed.hold(True)
        assert placed._orders.qsize() == PLACED_ORDERS_WAITING
        placed.report(events.Held(held=True, by="local"))
        assert placed.held
        assert [type(event) for event in told] == [events.Answered, events.Held]

    asyncio.run(scenario())
