"""What goes wrong in mid-call: each ends in a known state, exit code and last event."""

import signal
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.program import Event, Program, Stage

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
MISSING_MAX_FRAMES = 25
"""Half a second: the route is in doubt after a quarter of one."""
SILENCE_MAX_S = 12.0
"""How soon a call ends whose other side is gone."""
RELAY_BACK_S = 40.0
"""Keep-alive (25 s), its answer (4 s), a first pause (1 s), and a slow machine."""


def direct_call(
    stage: Stage, *words: str, caller: str = "a", callee: str = "b"
) -> tuple[Program, Program]:
    """A call that has gone direct on both sides: caller and listener."""
    listening = stage.listen(callee, *SOUND)
    calling = stage.call(caller, callee, *SOUND, *words)
    for program in (calling, listening):
        program.wait_for("path.changed", path="direct")
    return calling, listening


def lost_frames(sender: Event, receiver: Event) -> int:
    lost = sender["frames"]["sent"] - receiver["frames"]["received"]
    assert isinstance(lost, int)
    return lost


def test_a_cut_of_the_direct_route_costs_half_a_second(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    stage.relay()
    calling, listening = direct_call(stage, "--duration", "12s")
    sides = (calling, listening)
    for side in sides:
        side.wait_for("stats", path="direct")
    stage.lab.cut("a", "b")
    for side in sides:
        side.wait_for("path.changed", path="relay")
    stage.lab.restore()
    for side in sides:  # the next round, five seconds later
        side.wait_for("path.changed", path="direct")
    ended, heard = (side.wait_end() for side in sides)

    assert (ended["exit"], heard["exit"]) == (0, 0)
    assert lost_frames(ended, heard) <= MISSING_MAX_FRAMES
    assert lost_frames(heard, ended) <= MISSING_MAX_FRAMES
    for end in (ended, heard):
        paths = [span["path"] for span in end["paths"]]
        assert paths == ["relay", "direct", "relay", "direct"]
    assert len(listening.all("incoming")) == len(calling.all("answered")) == 1


def test_a_direct_call_survives_its_relay(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    relay = stage.relay()
    calling, listening = direct_call(stage, "--duration", "6s")
    relay.kill()
    ended, heard = calling.wait_end(), listening.wait_end()
    for end in (ended, heard):
        assert (end["exit"], end["path"]) == (0, "direct")
        assert [span["path"] for span in end["paths"]] == ["relay", "direct"]
    assert heard["frames"]["received"] >= 6 * 50 - MISSING_MAX_FRAMES
    assert listening.all("hangup", by="peer", reason="time is up")


def test_a_relayed_call_goes_on_over_a_relay_that_was_killed_and_restarted(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab("symmetric-random", "symmetric-random"), tmp_path)
    relay = stage.relay()
    listening = stage.listen("b", *SOUND)
    calling = stage.call("a", "b", *SOUND, "--duration", "20s")
    for side in (calling, listening):
        side.wait_for("stats", path="relay")
    relay.kill()
    stage.relay().wait_for("relay.stats", RELAY_BACK_S, channels=1)
    ended, heard = calling.wait_end(), listening.wait_end()
    for end in (ended, heard):
        assert (end["exit"], end["path"]) == (0, "relay")
        assert end["frames"]["received"] > (20 - SILENCE_MAX_S) * 50
    assert listening.all("hangup", by="peer", reason="time is up")


def test_a_killed_peer_ends_the_call(make_lab: MakeLab, tmp_path: Path) -> None:
    """Twice at the same time: a callee is killed, and a caller."""
    stage = Stage(make_lab(*["masquerade-drop"] * 4), tmp_path)
    stage.relay()
    left_caller, callee = direct_call(stage)
    caller, left_callee = direct_call(stage, caller="c", callee="d")
    callee.kill()
    caller.kill()
    for left in (left_caller, left_callee):
        left.wait_for("hangup", SILENCE_MAX_S, by="network")
        assert left.wait_end()["exit"] == 4
        assert left.all("error", code="connection_lost")


@pytest.mark.parametrize(
    ("who", "number", "code"),
    [
        ("caller", signal.SIGINT, 130),
        ("caller", signal.SIGTERM, 143),
        ("callee", signal.SIGINT, 130),
    ],
)
def test_a_signal_hangs_up(
    make_lab: MakeLab, tmp_path: Path, who: str, number: signal.Signals, code: int
) -> None:
    stage = Stage(make_lab("open", "masquerade-drop"), tmp_path)
    stage.relay()
    stopped, other = direct_call(stage)
    if who == "callee":
        stopped, other = other, stopped
    stopped.send(number)
    end = stopped.wait_end()
    assert (end["exit"], end["ok"]) == (code, False)
    assert end["frames"]["sent"] > 0
    assert stopped.all("hangup", by="local")
    assert other.wait_end()["exit"] == 0
    assert other.all("hangup", by="peer")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_listener_finds_its_relay_again(
    make_lab: MakeLab, tmp_path: Path, number: signal.Signals
) -> None:
    """A relay that leaves says so; one that was killed is missed at a keep-alive."""
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    relay = stage.relay()
    listening = stage.listen("b", *SOUND)
    listening.wait_for("registered", published=True)
    if number == signal.SIGKILL:
        relay.kill()
    else:
        relay.terminate()
        assert relay.wait_end()["exit"] == 0  # drained: nobody called
    stage.relay()
    listening.wait_for("registered", RELAY_BACK_S, published=True)
    assert listening.all("warning", code="relay_lost")
    calling = stage.call("a", "b", *SOUND, "--duration", "1s")
    assert calling.wait_end()["exit"] == listening.wait_end()["exit"] == 0
