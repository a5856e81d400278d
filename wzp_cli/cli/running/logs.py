"""The log: what happened inside, for whoever looks for a fault."""

import contextlib
import json
import logging
import sys
from typing import TYPE_CHECKING, TextIO

from wzp_cli.cli.output.channels import say
from wzp_cli.errors import EnvironmentFault

if TYPE_CHECKING:
    from wzp_cli.cli.settings import Settings

__all__ = ["JsonLines", "start_logging"]


class JsonLines(logging.Formatter):
    """One JSON object a line: ts (seconds since 1970), level, logger, message.

    What the record has as `fields` comes after them, under keys of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is now: while sound is open, it is another file."""

    @property
    def stream(self) -> TextIO:
        """Return where standard error goes."""
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        """Nothing is kept."""


class _LogFile(logging.FileHandler):
    """A file that may be full: that is told once, and the command goes on."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Log no more."""
        error = sys.exc_info()[1]
        logging.root.removeHandler(self)
        with contextlib.suppress(OSError):  # what is left can't be written either
            self.close()
        why = getattr(error, "strerror", None) or error
        say(f"Warning: --log-file takes no more: {why}")


def start_logging(settings: "Settings") -> None:
    """Send the log where `settings` say: standard error, or a file.

    Raises:
        EnvironmentFault: The file can't be written.
    """
    log: logging.Handler = _StandardError()
    if settings.log_file is not None:
        try:
            log = _LogFile(settings.log_file, encoding="utf-8")
        except OSError as error:
            why = error.strerror or str(error)
            raise EnvironmentFault(f"--log-file {settings.log_file}: {why}") from error
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    log.setFormatter(JsonLines() if settings.log_format == "json" else text)
    logging.root.addHandler(log)
    logging.root.setLevel(settings.log_level.upper())
    if settings.log_level != "debug":
        # What a stranger sends is no fault of ours: aioquic warns of each bad packet.
        logging.getLogger("quic").setLevel(logging.ERROR)
