"""kill -9 and SIGSTOP of a caller, a listener and a relay, at each state of a call.

All pairs live at the same time, and all scenes are played side by side, so that the
silence after which a call is given up has to be waited for once. What is left is looked
for at the end: links and channels at the relay, files, and whether the next call works.
"""

import signal
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.matrix import row
from tests.faults.pairs import (
    LASTING,
    PASSING,
    SILENCE_S,
    STATES,
    Pair,
    Relay,
    Stage,
    ended,
    hung_up,
    listen,
)
from tests.support.processes import Processes

FORGOTTEN_S = 60.0
RELAY_BACK_S = 45.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Processes(tmp_path, forks=True) as processes:
        yield Stage(processes)


@pytest.mark.timeout(240)  # 40 programs, on a busy machine
def test_whoever_is_killed_or_stopped(stage: Stage) -> None:
    scenes = (
        a_caller_or_a_listener_is_killed,
        a_relay_is_killed,
        who_is_stopped_for_a_while,
    )
    with ThreadPoolExecutor() as pool:
        for scene in [pool.submit(scene, stage) for scene in scenes]:
            scene.result()


def a_caller_or_a_listener_is_killed(stage: Stage) -> None:
    relay = stage.relay("home")
    unborn = stage.pair(relay, "registering", name="listener")
    callers = stage.pairs(relay, *STATES["caller"], name="caller")
    listeners = stage.pairs(relay, *STATES["listener"][1:], name="listener")
    _kill_while_they_register(relay, callers[0], unborn)
    for pair in (*callers, *listeners):
        if pair.state in LASTING:
            pair.call()
    for who, pairs in (("caller", callers), ("listener", listeners)):
        _kill(who, [pair for pair in pairs if pair.state != "registering"])
    listeners.append(unborn)
    for pair in listeners:
        if pair.state in ("registering", "waiting"):
            pair.call()

    for pair in callers:
        assert row(f"kill-caller-{pair.state}").exit is None
        if pair.state != "registering":
            told = hung_up(pair.listener, pair.state)
            said = pair.state == "ending"
            assert told["by"] == ("peer" if said else "network"), (pair.state, told)
        assert not pair.listener.all("error"), pair.state
    for pair in listeners:
        expected = row(f"kill-listener-{pair.state}").exit
        end = ended(pair.caller)
        assert end["exit"] == expected, (pair.state, pair.caller.transcript())
        if pair.state in ("answered", *LASTING):
            error = pair.caller.all("error", code="connection_lost")[0]
            assert error["message"] == "the peer is gone: it fell silent"

    # Each state directory serves again, and each listener that was left takes calls.
    for pair in callers:
        if pair.state == "ringing":
            pair.listener.terminate()
            pair.listener.wait_end()
    anew = [*listeners, *(pair for pair in callers if pair.state == "ringing")]
    for pair in anew:
        pair.state = "again"
    listen(anew)
    everybody = [*callers, *listeners]
    again = [pair.next_call() for pair in everybody]
    for calling in again:
        assert calling.wait_end()["exit"] == 0, calling.transcript()
    for pair in everybody:
        pair.listener.wait_for("hangup", reason="time is up", by="peer")

    left = {"links": len(everybody), "channels": 0}
    relay.program.wait_for("relay.stats", FORGOTTEN_S, **left)
    assert not relay.program.all("warning")
    users = [pair.caller_user for pair in everybody]
    users += [pair.listener_user for pair in everybody]
    sockets = [user.state / "control" / "socket" for user in users]
    assert not [path for path in sockets if path.exists() and not _is_heard(path)]


def _kill_while_they_register(relay: Relay, calls: Pair, listens: Pair) -> None:
    """Kill a caller and a listener that have asked for a link, and have none yet."""
    with relay.deaf():
        calls.call()
        unread = relay.await_unread(0)
        listens.listen()
        relay.await_unread(unread)
        for program in (calls.caller, listens.listener):
            program.kill()


def _kill(who: str, pairs: Sequence[Pair]) -> None:
    """Kill one of each pair in the pair's state; those first that do not last."""
    for pair in sorted(pairs, key=lambda pair: pair.state in LASTING):
        if pair.state in PASSING:
            pair.call()
        pair.reach(who)
        (pair.caller if who == "caller" else pair.listener).kill()


def a_relay_is_killed(stage: Stage) -> None:
    relay = stage.relay("doomed")
    made = stage.pairs(relay, *STATES["relay"], name="call")
    pairs = {pair.state: pair for pair in made}
    for pair in pairs.values():
        if pair.state in LASTING:
            pair.call()
    for pair in pairs.values():
        if pair.state in LASTING:
            pair.reach("relay")
    pairs["ending"].call()
    pairs["ending"].reach("relay")
    with relay.deaf():
        pairs["registering"].call()
        relay.await_unread(0)
        relay.program.kill()

    direct, late = pairs["direct"], pairs["registering"]
    for state in ("ringing", "relayed", "ending"):
        expected = row(f"kill-relay-{state}").ends
        assert ended(pairs[state].caller)["exit"] == expected, state
        assert hung_up(pairs[state].listener, state)["by"] in ("network", "peer")
    assert late.caller.wait_end(SILENCE_S)["exit"] == row("kill-relay-registering").ends
    relay.restart()
    for pair in pairs.values():
        pair.listener.wait_for("registered", published=True)
        pair.listener.wait_for("registered", RELAY_BACK_S, published=True)
    assert not direct.listener.all("hangup")
    direct.caller.send(signal.SIGINT)
    assert direct.caller.wait_end()["exit"] == 130
    hung_up(direct.listener, "direct")
    again = [pair.next_call() for pair in (direct, pairs["relayed"], late)]
    for calling in again:
        assert calling.wait_end()["exit"] == 0, calling.transcript()


def who_is_stopped_for_a_while(stage: Stage) -> None:
    """First for 3 s, which all calls live through; then for longer than they can."""
    home, away = stage.relay("relay"), stage.relay("stopped")
    here = stage.pairs(home, "direct", "relayed", name="here")
    there = stage.pairs(away, "direct", "relayed", name="there")
    for pair in (*here, *there):
        pair.call()
        pair.reach("relay")
    sides = [here[0].caller, here[1].listener, away.program]
    for seconds in (3.0, 13.0):
        for side in sides:
            side.send(signal.SIGSTOP)
        time.sleep(seconds)
        for side in sides:
            side.send(signal.SIGCONT)
        if seconds > 10:
            break
        assert row("stop-short").exit is None
        for pair in (*here, *there):
            for program in (pair.caller, pair.listener):
                program.wait_for("stats")
                assert not program.all("hangup")

    for caller in (here[0].caller, here[1].caller):
        assert ended(caller)["exit"] == row("stop-long").ends
        assert caller.all("hangup", by="network")
    for listener in (here[0].listener, here[1].listener):
        listener.wait_for("hangup", SILENCE_S, by="network")
    direct, relayed = there
    assert ended(relayed.caller)["exit"] == row("stop-relay").ends
    relayed.listener.wait_for("hangup", SILENCE_S, by="network")
    assert not direct.caller.all("hangup") + direct.listener.all("hangup")
    direct.caller.send(signal.SIGINT)
    direct.listener.wait_for("hangup", by="peer")
    again = [pair.next_call() for pair in (*here, *there)]
    for calling in again:
        assert calling.wait_end()["exit"] == 0, calling.transcript()
    for relay in (home, away):
        relay.program.wait_for("relay.stats", links=2, channels=0)


def _is_heard(path: Path) -> bool:
    """Whether a process is behind a control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
