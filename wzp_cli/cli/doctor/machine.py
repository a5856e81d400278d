"""Checks of Python and its packages, of the terminal, and of the codec."""

import os
import platform
import sys
from importlib import import_module
from typing import Final

from wzp_cli.cli.doctor.finding import Finding, failed, ok, warning
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.program import DEMO_MIN_CORRELATION, DOCTOR_BUSY_LOAD
from wzp_cli.errors import CodecMissing, WzpError

__all__ = [
    "check_libopus",
    "check_load",
    "check_packages",
    "check_python",
    "check_terminal",
]

OLDEST_PYTHON: Final = (3, 11)
PACKAGES: Final = (
    *("msgspec", "typer", "rich", "aioquic.quic.connection", "aioice.stun"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "numpy", "ifaddr"),
)
_RUNNING: Final = (
    sys.version_info.major,
    sys.version_info.minor,
    sys.version_info.micro,
)
_SAID: Final = "\u2026 \u2190 \u00e9"


def check_python(patient: Patient, version: tuple[int, ...] = _RUNNING) -> Finding:
    """Is Python new enough?"""
    said = ".".join(map(str, version[:3]))
    if version[:2] < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        return failed(
            "Python",
            f"{said} is too old: wzp needs {wanted}",
            patient.remedies.install("Python 3.11"),
        )
    return ok("Python", f"{said} ({platform.system()}, {platform.machine()})")


def check_load(patient: Patient, load: float | None = None) -> Finding:
    """Have the processors time for sound, or does it come late and in pieces?"""
    processors = os.cpu_count() or 1
    if load is None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    told = f"{load:.1f} programs want {processors} processors"
    if load > DOCTOR_BUSY_LOAD * processors:
        return warning("load", f"{told}: sound will be late", "end some, see: top")
    return ok("load", told)


def check_packages(patient: Patient) -> Finding:
    """Do the packages that wzp needs load, with the libraries that they need?"""
    for name in PACKAGES:
        try:
            import_module(name)
        except (ImportError, OSError) as error:
            package = name.partition(".")[0]
            fix = f"{patient.remedies.add} --force-reinstall {package}"
            return failed("packages", f"{package} does not load: {error}", fix)
    return ok("packages", f"all {len(PACKAGES)} load")


def check_terminal(patient: Patient) -> Finding:
    """Can the terminal show the names of people, and what wzp draws?"""
    encoding = (sys.stdout and sys.stdout.encoding) or "none"
    try:
        _SAID.encode(encoding)
    except (UnicodeError, LookupError):
        fix = "export LANG=C.UTF-8"
        if patient.remedies.platform == "win32":
            fix = "chcp 65001, and set PYTHONUTF8=1"
        return warning("terminal", f"{encoding} can't show all names", fix)
    return ok("terminal", encoding)


def check_libopus(patient: Patient) -> Finding:
    """Is libopus there, and does sound come out of it as it went in?"""
    from wzp_cli.adapters.codecs.opus import find_opus

    try:
        place = find_opus()
        correlation = _round_trip()
    except CodecMissing:
        return warning(
            "libopus",
            "not found: calls use G.711 instead, as telephones do",
            patient.remedies.install("libopus"),
        )
    except WzpError as error:
        return warning("libopus", str(error), patient.remedies.install("libopus"))
    if correlation < DEMO_MIN_CORRELATION:
        return warning(
            "libopus",
            f"{place} gives other sound than it got (correlation {correlation:.2f})",
            f"{patient.remedies.install('libopus')}, or name another: WZP_OPUS_LIB",
        )
    return ok("libopus", f"{place}, encoded and decoded ({correlation:.2f})")


def _round_trip() -> float:
    """Return how like itself a sentence is behind encoder and decoder, 0 to 1."""
    from wzp_cli.adapters.codecs.opus import open_opus
    from wzp_cli.protocol.media.babble import babble
    from wzp_cli.protocol.media.likeness import compare

    codec, said = open_opus(), babble()
    frames = range(0, len(said), MEDIA_FRAME_BYTES)
    packets = [codec.encode(said[at : at + MEDIA_FRAME_BYTES]) for at in frames]
    heard = b"".join(map(codec.decode, packets))
    return compare(said, heard).correlation
