"""What a failure looks like from outside: a code, a sentence, a hint, an exit code."""

import errno
from typing import Final

import msgspec

from wzp_cli.errors import OutOfResources, WzpError
from wzp_cli.events import Failed

__all__ = [
    "EXIT_INTERNAL",
    "EXIT_INTERRUPTED",
    "EXIT_OUTPUT_CLOSED",
    "EXIT_TERMINATED",
    "OutputClosed",
    "Problem",
    "Terminated",
    "exit_code",
    "failed",
    "is_stop",
    "problem",
    "sentence",
]

EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141
EXIT_TERMINATED = 143

_NO_MORE: Final = {
    errno.EMFILE: "too many files are open here. Raise the limit: ulimit -n 1024",
    errno.ENFILE: "too many files are open on this machine. End some programs.",
    errno.ENOSPC: "no space is left on the disk. Free some.",
    errno.EDQUOT: "your quota of the disk is used up. Free some space.",
    errno.ENOMEM: "no memory is left. End some programs.",
    errno.ENOBUFS: "no memory is left for the network. End some programs.",
}

_REPORT_IT = "Please report this, with what `WZP_DEBUG=1` adds."


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The `error` of a document, and the fields of the `error` event."""

    code: str
    message: str
    hint: str | None
    exit: int


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: the same as Ctrl-C, but for the exit code."""


class OutputClosed(BaseException):
    """Who read our standard output has gone: stop, and say nothing."""


_STOPS: list[tuple[type[BaseException], int, str]] = [
    (Terminated, EXIT_TERMINATED, "Terminated by SIGTERM."),
    (KeyboardInterrupt, EXIT_INTERRUPTED, "Interrupted."),
    (OutputClosed, EXIT_OUTPUT_CLOSED, "Nobody reads the output."),
]


def problem(error: BaseException) -> Problem:
    """Return what to tell about `error`.

    The message is what happened, the hint what to try: the error's own first sentence,
    and its others and notes, or else its docstring's. Anything that is not ours is a
    bug: exit 70; but for a machine that has no more to give, wherever that hits us.
    """
    cause = _told(_cause(error))
    for kind, exit_, message in _STOPS:
        if isinstance(cause, kind):
            return Problem(code="interrupted", message=message, hint=None, exit=exit_)
    if not isinstance(cause, WzpError):
        message = f"internal error: {type(cause).__name__}: {cause}".rstrip(": ")
        code, exit_ = "internal", EXIT_INTERNAL
        return Problem(code=code, message=message, hint=_REPORT_IT, exit=exit_)
    happened, hint = _sentences(type(cause).__doc__ or cause.code)
    message, advice = _sentences(str(cause))
    own = [*filter(None, [advice]), *getattr(cause, "__notes__", ())]
    return Problem(
        code=cause.code,
        message=message or happened,
        hint=" ".join(own) or hint,
        exit=cause.exit_code,
    )


def is_stop(error: BaseException) -> bool:
    """Return whether somebody asked the command to stop: nothing to complain about."""
    return isinstance(_cause(error), KeyboardInterrupt | OutputClosed)


def exit_code(error: BaseException) -> int:
    """Return the exit code of a command that `error` ended."""
    return problem(error).exit


def failed(told: Problem) -> Failed:
    """Return the event that says the same as `told`."""
    return Failed(code=told.code, message=told.message, hint=told.hint, exit=told.exit)


def sentence(message: str, hint: str | None) -> str:
    """Return one line for a person: what happened, then what to try."""
    line = " ".join(message.split())
    if not line.endswith((".", "!", "?")):
        line += "."
    return f"{line} {hint}" if hint else line


def _cause(error: BaseException) -> BaseException:
    """Return the one error to tell about: out of a task group, a bug comes first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(inner) for inner in error.exceptions]
    bugs = [cause for cause in causes if not isinstance(cause, WzpError)]
    return (bugs or causes)[0]


def _told(cause: BaseException) -> BaseException:
    """Return what an exhausted machine's error is for who reads it."""
    if isinstance(cause, MemoryError):
        return OutOfResources(_NO_MORE[errno.ENOMEM])
    if isinstance(cause, OSError) and cause.errno in _NO_MORE:
        return OutOfResources(_NO_MORE[cause.errno])
    return cause


def _sentences(text: str) -> tuple[str, str | None]:
    """Return the first sentence of `text`, and the others."""
    first, others, rest = " ".join(text.split()).partition(". ")
    return first + others.rstrip(), rest or None
