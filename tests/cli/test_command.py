import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from tests.cli import probe
from wzp_cli.cli.command import (
    Command,
    Job,
    Outcome,
    Session,
    command,
    command_app,
    declared,
    everywhere_callback,
)
from wzp_cli.cli.options import Everywhere


def read(app: typer.Typer, *words: str) -> object:
    return typer.main.get_command(app).main(list(words), "wzp", standalone_mode=False)


def test_words_become_a_job_that_has_not_run() -> None:
    app = command_app()

    @command(app, "say")
    def say(session: Session, what: str, loud: bool = False) -> Outcome:
        """Say it."""
        raise AssertionError

    job = read(app, "hello", "--loud", "--json", "-vv")
    assert isinstance(job, Job)
    assert job.command.name == "say"
    assert job.command.run is say
    assert job.arguments == {"what": "hello", "loud": True}
    assert job.everywhere == Everywhere(json=True, verbose=2)


@dataclass(frozen=True)
class Colours:
    ink: Annotated[str | None, typer.Option("--ink")] = None
    paper: Annotated[bool | None, typer.Option("--paper/--no-paper")] = None


def test_a_dataclass_stands_for_several_options() -> None:
    app = command_app()

    @command(app, "paint")
    def paint(
        session: Session,
        what: str,
        colours: Colours = Colours(),
    ) -> Outcome:
        """Paint it."""
        raise AssertionError

    job = read(app, "it", "--ink", "red", "--no-paper")
    assert isinstance(job, Job)
    assert job.arguments == {"what": "it", "colours": Colours("red", False)}
    job = read(app, "it")
    assert isinstance(job, Job)
    assert job.arguments == {"what": "it", "colours": Colours()}


def test_the_last_word_names_a_command_in_its_group() -> None:
    job = read(probe.app, "answer")
    assert isinstance(job, Job)
    assert job.command.name == "probe answer"


def test_the_help_names_own_options_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert read(probe.app, "answer", "-h") == 0
    page = capsys.readouterr().out
    assert 0 < page.index("--relay HOST[:PORT]") < page.index("--json")
    assert "Answer at once, with a warning." in page


def test_the_version_may_be_asked_of_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert read(probe.app, "fail", "--version") == 0
    assert capsys.readouterr().out.startswith("wzp ")


def test_a_callback_takes_the_flags_of_every_command() -> None:
    names = inspect.signature(everywhere_callback()).parameters
    assert {"ctx", "version", *Everywhere.__dataclass_fields__} == set(names)


def test_whether_a_command_streams_may_depend_on_an_option() -> None:
    once = Command("x", probe.answer, None, False)
    always = Command("x", probe.answer, None, True)
    asked = Command("x", probe.answer, None, "watch")
    assert not once.streams({"watch": True})
    assert always.streams({})
    assert asked.streams({"watch": True})
    assert not asked.streams({"watch": False})


def test_only_readers_of_words_are_declared() -> None:
    callback = probe.app.registered_commands[0].callback
    found = declared(callback)
    assert found is not None
    assert found.result is probe.Seen
    assert declared(probe.answer) is None
    assert declared(None) is None
