"""Checks of the configuration file, the state directory and what is in it."""

import os
import shlex
import shutil
import time
from pathlib import Path

from wzp_cli.adapters.disk.config import default_config_path
from wzp_cli.adapters.disk.private_files import replace_file
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.cli.doctor.finding import Finding, failed, ok, skipped, warning
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.output.failure import problem
from wzp_cli.defaults.program import DOCTOR_CLOCK_OFF_S, DOCTOR_LOW_DISK_BYTES
from wzp_cli.errors import ConfigError, StateUnusable

__all__ = [
    "check_clock",
    "check_config",
    "check_disk",
    "check_identity",
    "check_lists",
    "check_state",
]

_PROBE = ".doctor"
_MIB = 1 << 20


def check_config(patient: Patient) -> Finding:
    """Are the configuration file and the WZP_* variables right?

    So a key that this version no longer knows, or does not know yet, is found.
    """
    reread = patient.session.reread
    try:
        if reread is not None:
            reread()
    except ConfigError as error:
        return failed("config", str(error), "wzp config path: correct that file")
    place = patient.session.settings.config_path or default_config_path()
    if place.exists():
        return ok("config", os.fspath(place))
    return ok("config", f"none at {place}; defaults hold")


def check_state(patient: Patient) -> Finding:
    """Can the state directory be made, read and written by us, and by nobody else?"""
    probe = patient.directory / _PROBE
    try:
        open_state(patient.directory)
        replace_file(probe, b"\n")
        probe.unlink()
    except StateUnusable as error:
        return _unusable("state", error)
    except OSError as error:
        return failed("state", f"{probe}: {error.strerror}", "chmod 700 the folder")
    return ok("state", os.fspath(patient.directory))


def check_disk(patient: Patient) -> Finding:
    """Is there room?"""
    place = _nearest(patient.directory)
    free = shutil.disk_usage(place).free
    if free < DOCTOR_LOW_DISK_BYTES:
        fix = f"free some space; what is large: du -xh {shlex.quote(str(Path.home()))}"
        told = f"only {free // _MIB} MiB are left at {place}: no call is recorded"
        return warning("disk", told, f"{fix} | sort -h | tail")
    return ok("disk", f"{free // _MIB} MiB free")


def _nearest(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def check_identity(patient: Patient) -> Finding:
    """Is our key there, whole, and for our eyes alone? The first look makes it."""
    try:
        identity = patient.state.keypair.identity
    except StateUnusable as error:
        return _unusable("identity", error)
    return ok("identity", f"{identity.short} (the whole of it: wzp id show)")


def check_lists(patient: Patient) -> Finding:
    """Can the lists of relays and contacts be read, line by line?"""
    try:
        relays, contacts = (
            patient.state.known_relays.all(),
            patient.state.contacts.all(),
        )
    except StateUnusable as error:
        return _unusable("lists", error)
    told = f"relays met before: {len(relays)}, contacts: {len(contacts)}"
    return ok("lists", told)


def check_clock(patient: Patient, now_s: float | None = None) -> Finding:
    """Is the clock behind the files that were written here?

    Whoever gives out a ticket says until when it holds; a clock that lost its battery
    takes old ones, or none.
    """
    newest_s = max(map(_written_s, _own_files(patient.directory)), default=0.0)
    now_s = time.time() if now_s is None else now_s  # noqa: TID251 - the date itself
    if not newest_s:
        return skipped("clock", "nothing here tells the date")
    if newest_s - now_s > DOCTOR_CLOCK_OFF_S:
        minutes = round((newest_s - now_s) / 60)
        told = f"it is {minutes} min behind a file here: tickets hold by date"
        return warning("clock", told, patient.remedies.set_clock())
    return ok("clock", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s)))


def _own_files(directory: Path) -> list[Path]:
    found = [*directory.glob("*")] if directory.is_dir() else []
    return [*found, Path(__file__)]


def _written_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _unusable(check: str, error: StateUnusable) -> Finding:
    told = problem(error)
    return failed(check, told.message, told.hint or "wzp doctor --help")
