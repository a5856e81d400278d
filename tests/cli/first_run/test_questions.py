import asyncio
from collections.abc import Iterator

import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.adapters.sound_card.devices import SoundDevice
from wzp_cli.address import HostPort
from wzp_cli.cli.first_run import questions
from wzp_cli.cli.first_run.questions import Answers, answered
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import UsageError

NOTHING = Answers(None, (), None, None)
ENTER = ""


def device(index: int, name: str, inputs: int, outputs: int) -> SoundDevice:
    return SoundDevice(
        index=index,
        name=name,
        driver="ALSA",
        inputs=inputs,
        outputs=outputs,
        default_input=False,
        default_output=False,
    )


@pytest.fixture(autouse=True)
def _devices(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [device(0, "Desk", 2, 2), device(3, "Headset", 1, 1)]
    monkeypatch.setattr(questions, "list_devices", lambda: found)


def talk(given: Answers, settings: Settings, *typed: str) -> Answers:
    """Return what comes of these answers; all of them are needed."""
    answers: Iterator[str] = iter(typed)

    async def ask(question: str, usual: str) -> str:
        return next(answers) or usual

    found = asyncio.run(answered(given, settings, asks=True, ask=ask))
    assert next(answers, None) is None
    return found


def test_all_is_asked() -> None:
    found = talk(NOTHING, Settings(), "Ada", "relay.example", "3", "0")
    assert found == Answers(
        "Ada", (HostPort("relay.example", 4433),), "mic:Headset", "speaker:Desk"
    )


def test_enter_takes_what_holds() -> None:
    settings = Settings(
        said=Config(name="Ada", source="mic:Desk"), relays=(HostPort("r", 1),)
    )
    found = talk(NOTHING, settings, ENTER, ENTER, ENTER, ENTER)
    assert found == Answers("Ada", (HostPort("r", 1),), "mic:Desk", None)


def test_what_is_of_no_use_is_asked_again() -> None:
    found = talk(
        Answers("Ada", (), None, None),
        Settings(),
        "a b:c",
        "-",
        "7",
        "Desk",
        "9",
        ENTER,
    )
    assert found == Answers("Ada", (), "mic:Desk", None)


def test_flags_are_not_asked() -> None:
    given = Answers("Ada", (HostPort("r", 1),), "tone", "null")
    assert talk(given, Settings()) == given


def test_nobody_is_asked_who_is_not_there() -> None:
    assert asyncio.run(answered(NOTHING, Settings(), asks=False)) == NOTHING
    assert not questions.may_ask(Settings(no_input=True))


@pytest.mark.parametrize(
    "given", [Answers("\x1b", (), None, None), Answers(None, (), "violin", None)]
)
def test_a_flag_of_no_use_is_refused(given: Answers) -> None:
    with pytest.raises(UsageError):
        asyncio.run(answered(given, Settings(), asks=False))
