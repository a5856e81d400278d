"""What one check found."""

from typing import Literal

import msgspec

__all__ = ["Finding", "Status", "failed", "note", "ok", "skipped", "warning"]

Status = Literal["ok", "note", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found.

    `status`: `note` is good to know, `warning` makes calls worse or rarer, `failed` is
    needed and missing, `skipped` could not be tried. `fix`: what to do on this system.
    """

    check: str
    status: Status
    message: str
    fix: str | None = None


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, status="ok", message=message)


def skipped(check: str, message: str) -> Finding:
    """Return that there was nothing to try, and why."""
    return Finding(check=check, status="skipped", message=message)


def note(check: str, message: str, fix: str | None) -> Finding:
    """Return what is good to know."""
    return Finding(check=check, status="note", message=message, fix=fix)


def warning(check: str, message: str, fix: str) -> Finding:
    """Return what makes calls worse, or rarer."""
    return Finding(check=check, status="warning", message=message, fix=fix)


def failed(check: str, message: str, fix: str) -> Finding:
    """Return what is needed and missing."""
    return Finding(check=check, status="failed", message=message, fix=fix)
