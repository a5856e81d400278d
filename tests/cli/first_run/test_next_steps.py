from pathlib import Path

import pytest
from msgspec import structs

from tests.support.processes import Processes
from wzp_cli.cli.app import run
from wzp_cli.cli.first_run.next_steps import Here, look_around, next_steps
from wzp_cli.protocol.traversal.standing import CallStanding, Standing

LISTENING = Standing(command="listen", pid=1, version="1", since="now", ready=True)


@pytest.mark.parametrize(
    ("here", "says", "commands"),
    [
        (Here(problem="x.toml: bad"), "x.toml: bad", ["wzp config path", "wzp doctor"]),
        (Here(), "No relay is set", ["wzp demo", "wzp setup", "wzp doctor"]),
        (Here(relay="r:1"), "Relay r:1 is set", ["wzp listen", "wzp call PEER"]),
        (Here(relay="r:1", contacts=("Bob B",)), "r:1", ["wzp call 'Bob B'"]),
        (Here(running=LISTENING), "wzp listen runs here.", ["wzp status"]),
        (
            Here(settled=True),
            "",
            ["wzp devices --test", "wzp listen", "wzp contacts add"],
        ),
    ],
)
def test_each_state_has_its_next_steps(
    here: Here, says: str, commands: list[str]
) -> None:
    text = next_steps(here)
    assert says in text
    steps = text.partition("\nNext:\n")[2]
    assert all(f"  {command} " in steps for command in commands)
    assert len(text.splitlines()) <= 24
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_call_under_way_is_told() -> None:
    call = CallStanding(state="talking", peer="wzp1bob")
    here = Here(running=structs.replace(LISTENING, call=call))
    assert "in a call with wzp1bob." in next_steps(here)
    assert "wzp hangup" in next_steps(here)
    assert "wzp contacts add NAME PEER" in next_steps(here)
    known = structs.replace(call, contact="Bob B")
    here = Here(running=structs.replace(LISTENING, call=known))
    assert "wzp id verify 'Bob B'" in next_steps(here)
    known = structs.replace(known, verified=True)
    here = Here(running=structs.replace(LISTENING, call=known))
    assert "verify" not in next_steps(here)
    rings = CallStanding(state="ringing", peer="wzp1bob")
    here = Here(running=structs.replace(LISTENING, call=rings))
    assert "wzp answer" in next_steps(here)


def test_nothing_is_made_by_looking(
    environ: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([], environ) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "wzp setup" in err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config" / "wzp").mkdir(parents=True)
    (tmp_path / "config" / "wzp" / "config.toml").write_text("prot = 1\n")
    assert "did you mean 'port'" in (look_around(environ).problem or "")


def test_who_runs_is_asked(processes: Processes, relay: str) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    words = ("listen", "--auto-answer", "all", "--in", "tone", "--out", "null")
    bob.start(*words).wait_for("ready")
    here = look_around(bob.environment)
    assert here.relay == relay
    assert here.running is not None
    assert here.running.command == "listen"
    ran = bob.run(expect=2)
    assert "wzp listen runs here." in ran.stderr
