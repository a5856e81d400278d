import random
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes, User
from tests.support.pulse import Pulse
from wzp_cli.cli.commands.doctor import checks

NOISE = random.Random(1).randbytes(96_000 * 10)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def ada(processes: Processes, tmp_path: Path) -> User:
    (tmp_path / "config.toml").write_text("")
    return processes.user("ada", WZP_CONFIG=str(tmp_path / "config.toml"))


def statuses(findings: list[dict[str, str]]) -> dict[str, str]:
    return {each["check"]: each["status"] for each in findings}


def test_a_healthy_machine(ada: User, relay: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'relay = "{relay}"\n')
    answer = ada.ask("doctor", "--no-sound")
    fits(answer.document, "doctor.json")
    assert answer.result["ready"] is True
    found = statuses(answer.result["findings"])
    for check in ("Python", "packages", "libopus", "UDP", "relay", "UDP outside"):
        assert found[check] == "ok", check
    assert found["microphone"] == "skipped"
    ran = ada.run("doctor", "--no-sound")
    assert ran.stdout.startswith("Ready for calls")
    assert all(len(line) <= 80 for line in ran.stdout.splitlines() if "fix" not in line)


def test_each_finding_that_is_not_well_has_a_cure(ada: User, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("prot = 1\n")
    answer = ada.ask("doctor", expect=7)
    fits(answer.document, "doctor.json")
    assert answer.document["error"]["exit"] == 7
    assert answer.result["ready"] is False
    assert statuses(answer.result["findings"])["config"] == "failed"
    for each in answer.result["findings"]:
        assert (each["fix"] is None) == (each["status"] in ("ok", "skipped")), each


def test_there_are_twenty_checks_and_each_says_what_it_asks() -> None:
    assert len(checks()) >= 20
    for check in checks():
        assert check.__doc__, check
        assert check.__doc__.split("\n")[0].rstrip().endswith(("?", ".")), check


def test_what_can_be_found_stands_in_the_documentation(ada: User) -> None:
    answer = ada.ask("doctor", "--no-sound")
    usage = (ROOT / "docs/usage.md").read_text("utf-8")
    section = usage.partition("\n### wzp doctor\n")[2].partition("\n### ")[0]
    for each in answer.result["findings"]:
        assert f"| {each['check']} |" in section, each["check"]


@pytest.mark.pulse
def test_a_microphone_is_heard_or_silent(ada: User, tmp_path: Path) -> None:
    with Pulse(tmp_path) as pulse:
        variables = pulse.environment.items()
        wanted = ("PULSE_", "XDG_RUNTIME")
        ada.environment.update({k: v for k, v in variables if k.startswith(wanted)})
        silent = {each["check"]: each for each in ada.ask("doctor").result["findings"]}
        assert silent["voice"]["status"] == "warning"
        assert "pactl set-source-mute" in silent["voice"]["fix"]
        with pulse.playing("mic", NOISE):
            heard = statuses(ada.ask("doctor").result["findings"])
    for check in ("PortAudio", "microphone", "speaker", "voice"):
        assert heard[check] == "ok", check
