"""Checks of PortAudio, of microphone and speaker, and of what cleans the sound."""

from wzp_cli.adapters.sound_card.devices import Direction, SoundDevice, choose
from wzp_cli.cli.doctor.finding import Finding, failed, note, ok, skipped, warning
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.options import SoundFlags
from wzp_cli.cli.output.failure import problem
from wzp_cli.cli.sound import SoundWords, sound_opener
from wzp_cli.defaults.program import DOCTOR_HEAR_S
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.services.sound.check import hear_level

__all__ = [
    "check_echo",
    "check_microphone",
    "check_portaudio",
    "check_speaker",
    "check_voice",
]

_NO_CARD = "for calls without one: --in tone --out null, or in and out in the config"


def _words(patient: Patient) -> SoundWords:
    try:
        return SoundWords.choose(patient.session, SoundFlags())
    except UsageError:  # the check of the configuration says so
        return SoundWords("mic", "speaker")


def _needs_card(patient: Patient) -> bool:
    words = _words(patient)
    return patient.sound and (words.hears or words.speaks)


def _unneeded(check: str, patient: Patient) -> Finding:
    why = "no device is set" if patient.sound else "--no-sound"
    return skipped(check, f"not needed: {why}")


def check_portaudio(patient: Patient) -> Finding:
    """Is PortAudio there, which wzp hears and plays with?"""
    if not _needs_card(patient):
        return _unneeded("PortAudio", patient)
    try:
        devices = _devices()
    except SoundError as error:
        message = problem(error).message
        return failed("PortAudio", message, patient.remedies.install("PortAudio"))
    drivers = ", ".join(sorted({each.driver for each in devices}))
    return ok("PortAudio", f"{len(devices)} devices ({drivers or 'no driver'})")


def check_microphone(patient: Patient) -> Finding:
    """Is there the microphone that calls use?"""
    words = _words(patient)
    if not (patient.sound and words.hears):
        return _unneeded("microphone", patient)
    return _device("microphone", words.source, patient)


def check_speaker(patient: Patient) -> Finding:
    """Is there the speaker that calls use?"""
    words = _words(patient)
    if not (patient.sound and words.speaks):
        return _unneeded("speaker", patient)
    return _device("speaker", words.sink, patient)


def _device(direction: Direction, word: str, patient: Patient) -> Finding:
    try:
        devices = _devices()
    except SoundError:  # the check of PortAudio says so
        return skipped(direction, "not tried: there is no PortAudio")
    try:
        device = choose(word.partition(":")[2], direction, devices)
    except SoundError as error:
        return failed(direction, problem(error).message, _plug_in(patient))
    return ok(direction, f"{device.name} ({device.driver})")


def _plug_in(patient: Patient) -> str:
    if patient.remedies.platform == "linux":
        return f"plug it in, look with: pactl list short; {_NO_CARD}"
    return f"plug it in, and choose it in the system's settings; {_NO_CARD}"


async def check_voice(patient: Patient) -> Finding:
    """Does the microphone hear anything? Some tenths of a second, kept nowhere."""
    words = _words(patient)
    if not (patient.sound and words.hears):
        return _unneeded("voice", patient)
    listening = SoundWords(words.source, "null", words.treatment)
    try:
        loudness = await hear_level(sound_opener(listening), seconds=DOCTOR_HEAR_S)
    except SoundError as error:
        return skipped("voice", f"not tried: {problem(error).message}")
    if loudness.mean_dbfs is None:
        return warning(
            "voice", "the microphone gives digital silence", _unmute(patient)
        )
    return ok("voice", f"the microphone hears {loudness.mean_dbfs:.0f} dB")


def _unmute(patient: Patient) -> str:
    if patient.remedies.platform == "darwin":
        return "allow it for the terminal: System Settings, Privacy, Microphone"
    if patient.remedies.platform == "win32":
        return "allow it: Settings, Privacy, Microphone, desktop apps"
    return (
        "unmute it (pactl set-source-mute @DEFAULT_SOURCE@ 0), then wzp devices --test"
    )


def check_echo(patient: Patient) -> Finding:
    """Is there what takes the speaker's sound out of the microphone's?"""
    from wzp_cli.adapters.voice.cleaning import can_clean

    words = _words(patient)
    if not (patient.sound and words.hears and words.speaks):
        return _unneeded("echo", patient)
    if can_clean():
        return ok("echo", "is cancelled")
    told = "is not cancelled: wear headphones, or the other side hears itself"
    return note("echo", told, patient.remedies.extra("audio"))


def _devices() -> list[SoundDevice]:
    from wzp_cli.adapters.sound_card.devices import list_devices

    return list_devices()
