"""`wzp devices`: which microphones and speakers there are, and whether they work."""

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import DurationOption, SoundFlags
from wzp_cli.defaults.sound import SOUND_CHECK_S
from wzp_cli.errors import SoundError, UsageError, WzpError
from wzp_cli.events import Event, Level

if TYPE_CHECKING:
    from wzp_cli.adapters.sound_card.devices import SoundDevice

__all__ = ["Devices", "ShownDevice", "SoundTest", "app", "devices", "meter"]

_UNSAID = SoundFlags()
_METER_COLUMNS = 40
_METER_FLOOR_DBFS = -60.0


class ShownDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device. `index`, or `name` or part of it, go behind `mic:` or `speaker:`."""

    index: int
    name: str
    driver: str
    inputs: int
    outputs: int
    default_input: bool
    default_output: bool


class SoundTest(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard and played. A level of None is digital silence."""

    source: str
    sink: str
    heard_ms: int
    played_ms: int
    level_dbfs: float | None
    peak_dbfs: float | None


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """All devices; `test` is None unless it was asked for."""

    devices: list[ShownDevice]
    test: SoundTest | None


app = command_app()


@command(app, "devices", result=Devices)
async def devices(
    session: Session,
    test: Annotated[
        bool, typer.Option("--test", help="Hear the microphone, and play it back.")
    ] = False,
    sound: SoundFlags = _UNSAID,
    duration: DurationOption = None,
) -> Outcome:
    """List microphones and speakers; with --test, try them."""
    from wzp_cli.adapters.sound_card.devices import list_devices

    if not test and (sound != _UNSAID or duration):
        raise UsageError("options of sound, and --duration, belong to --test")
    found = list_devices()
    tested = None
    if test:
        tested = await _tested(session, sound, duration or SOUND_CHECK_S)
    result = Devices(
        devices=[
            msgspec.convert(each, ShownDevice, from_attributes=True) for each in found
        ],
        test=tested,
    )
    if tested is None:
        return Outcome(result, _list(found))
    return Outcome(result, _verdict(tested), _silence(tested))


async def _tested(session: Session, sound: SoundFlags, seconds: float) -> SoundTest:
    from wzp_cli.cli.output.channels import say
    from wzp_cli.cli.sound import SoundWords, sound_opener
    from wzp_cli.services.sound.check import check_sound

    words = SoundWords.choose(session, sound)
    talks = not (session.settings.quiet or session.settings.json)
    live = talks and sys.stderr.isatty()

    def report(event: Event) -> None:
        if live and isinstance(event, Level):
            sys.stderr.write(f"\r{meter(event.level_dbfs)}\033[K")
            sys.stderr.flush()
        session.report(event)

    def playing() -> None:
        if live:
            say("")
        if talks:
            say("Now the speaker plays what the microphone heard.")

    if talks:
        say(f"Say something: the microphone is heard for {seconds:g} s.")
    check = await check_sound(
        sound_opener(words, session.report),
        report,
        seconds=seconds,
        on_playing=playing,
    )
    return SoundTest(
        source=words.source,
        sink=words.sink,
        heard_ms=check.heard_ms,
        played_ms=check.played_ms,
        level_dbfs=check.level_dbfs,
        peak_dbfs=check.peak_dbfs,
    )


def meter(level_dbfs: float | None) -> str:
    """Return a level as a bar: full at 0 dBFS, empty at -60 and below."""
    if level_dbfs is None:
        return f"[{' ' * _METER_COLUMNS}] silence"
    part = 1 - max(level_dbfs, _METER_FLOOR_DBFS) / _METER_FLOOR_DBFS
    return (
        f"[{'#' * round(part * _METER_COLUMNS):<{_METER_COLUMNS}}] {level_dbfs:.0f} dB"
    )


def _list(found: "list[SoundDevice]") -> str:
    if not found:
        return "No sound device was found."
    lines = [
        f"{each.index:>3}  {each.name}  ({each.driver}; {_use(each)})" for each in found
    ]
    return "\n".join(["index  name", *lines])


def _use(device: "SoundDevice") -> str:
    uses = [
        "microphone" + (" (default)" if device.default_input else ""),
        "speaker" + (" (default)" if device.default_output else ""),
    ]
    able = [device.inputs > 0, device.outputs > 0]
    return ", ".join(use for use, can in zip(uses, able, strict=True) if can)


def _verdict(test: SoundTest) -> str:
    if test.level_dbfs is None:
        return "The microphone heard nothing at all."
    return (
        f"The microphone heard sound of {test.level_dbfs:.0f} dB (full scale is 0; "
        f"speech is fine from -40 to -15), at its loudest {test.peak_dbfs:.0f} dB.\n"
        "If you heard it again, both work."
    )


def _silence(test: SoundTest) -> WzpError | None:
    if test.level_dbfs is not None:
        return None
    return SoundError(
        "the microphone gives digital silence: it is muted, or another program's. "
        "See `wzp devices` for others"
    )
