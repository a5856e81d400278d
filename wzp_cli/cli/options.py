"""The options that commands share, and how their words become values.

`Everywhere` holds the flags that every command takes, before or after its name. The
annotated types are for single commands: `relay: RelayOption = None`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

import typer

from wzp_cli.address import HostPort
from wzp_cli.defaults.endpoint import STUN_DEFAULT_PORT
from wzp_cli.defaults.relay import RELAY_DEFAULT_PORT

__all__ = [
    "SWITCHES",
    "Color",
    "DrainOption",
    "DurationOption",
    "EveryOption",
    "Everywhere",
    "InOption",
    "LanOption",
    "LogFormat",
    "LogLevel",
    "OutOption",
    "PeerArgument",
    "PlainOption",
    "PortmapOption",
    "PublicStunOption",
    "RecordOption",
    "RelayOption",
    "RequireOption",
    "RingOption",
    "RingTimeoutOption",
    "SilenceOption",
    "SoundFlags",
    "StunOption",
    "Switch",
    "SwitchArgument",
    "TicketExpiresOption",
    "parse_duration",
    "parse_relay",
    "parse_stun",
]

Color = Literal["auto", "always", "never"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
Switch = Literal["on", "off", "toggle"]
Value = TypeVar("Value")

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_duration(text: str) -> float:
    """Return the seconds of "500ms", "10s", "2m", "8h" or "7d".

    Raises:
        ValueError: The text is none of these, or the duration is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _UNIT_S[match[2]] if match else 0.0
    if seconds <= 0:
        raise ValueError(f"not a duration such as 500ms, 10s or 2m: {text!r}")
    return seconds


def parse_relay(text: str) -> HostPort:
    """Return a relay's address; its port may be left out, its TCP port follow.

    Raises:
        ValueError: The text is no address.
    """
    return HostPort.parse_relay(text, default_port=RELAY_DEFAULT_PORT)


def parse_stun(text: str) -> HostPort:
    """Return a STUN server's address; its port may be left out.

    Raises:
        ValueError: The text is no address.
    """
    return HostPort.parse(text, default_port=STUN_DEFAULT_PORT)


def _option_value(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Make typer show the words of the ValueError, which it would leave out."""

    def value(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return value


RelayOption = Annotated[
    list[HostPort] | None,
    typer.Option(
        "--relay",
        metavar="HOST[:PORT]",
        parser=_option_value(parse_relay),
        help="Relay to use; may be given again.",
    ),
]
PublicStunOption = Annotated[
    bool | None,
    typer.Option(
        "--public-stun/--no-public-stun",
        help="Ask public STUN servers where too few others answer.",
    ),
]
StunOption = Annotated[
    list[HostPort] | None,
    typer.Option(
        "--stun",
        metavar="HOST[:PORT]",
        parser=_option_value(parse_stun),
        help="STUN server to ask; may be given again.",
    ),
]
SilenceOption = Annotated[
    list[float] | None,
    typer.Option(
        "--silence",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="--full with this silence and others given, not the usual ones.",
    ),
]
DurationOption = Annotated[
    float | None,
    typer.Option(
        "--duration",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="Stop after this time: 500ms, 10s, 2m.",
    ),
]

EveryOption = Annotated[
    float | None,
    typer.Option(
        "--every",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="Measure again and again, so often: 30s, 5m.",
    ),
]
RingTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--ring-timeout",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="Ring for so long.",
    ),
]
TicketExpiresOption = Annotated[
    float | None,
    typer.Option(
        "--ticket-expires",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="The ticket is refused after this time: 8h, 7d.",
    ),
]
DrainOption = Annotated[
    float | None,
    typer.Option(
        "--drain",
        metavar="TIME",
        parser=_option_value(parse_duration),
        help="How long calls may go on after SIGTERM (10s).",
    ),
]
InOption = Annotated[
    str | None,
    typer.Option(
        "--in", metavar="SRC", help="mic[:DEV], tone[:HZ], file:PATH, - or null."
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option("--out", metavar="DST", help="speaker[:DEV], file:PATH, - or null."),
]
PeerArgument = Annotated[
    str,
    typer.Argument(
        metavar="PEER", help="Contact, identity, wzp: ticket, host:port, or PEER@lan."
    ),
]
PortmapOption = Annotated[
    bool | None,
    typer.Option(
        "--portmap/--no-portmap", help="Ask the router for a port of its own."
    ),
]
LanOption = Annotated[
    bool | None,
    typer.Option("--lan/--no-lan", help="Be announced on the local network."),
]
SWITCHES: Final[Mapping[Switch, bool | None]] = {
    "on": True,
    "off": False,
    "toggle": None,
}
"""What to set a switch to; None: the other way."""

SwitchArgument = Annotated[
    Switch, typer.Argument(metavar="[on|off|toggle]", help="Which way; on if unsaid.")
]
PlainOption = Annotated[
    bool | None,
    typer.Option("--plain", help="Lines, also at a terminal: no call screen."),
]
RequireOption = Annotated[
    Literal["direct"] | None,
    typer.Option("--require", help="Exit 3 if the call never went that way."),
]


RecordOption = Annotated[
    str | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Record to FILE.wav or .opus: left our voice, right the peer's.",
    ),
]
RingOption = Annotated[
    bool | None,
    typer.Option("--ring/--no-ring", help="Let the speaker ring."),
]


@dataclass(frozen=True, kw_only=True)
class SoundFlags:
    """The flags of commands with sound, as they were written."""

    source: InOption = None
    sink: OutOption = None
    gain_in: Annotated[
        float | None,
        typer.Option("--gain-in", metavar="DB", help="Make what is sent louder."),
    ] = None
    gain_out: Annotated[
        float | None,
        typer.Option("--gain-out", metavar="DB", help="Make what is heard louder."),
    ] = None
    echo_cancel: Annotated[
        bool | None,
        typer.Option(
            "--echo-cancel/--no-echo-cancel",
            help="Take the speaker's sound out of the microphone's.",
        ),
    ] = None
    noise_suppression: Annotated[
        bool | None,
        typer.Option(
            "--noise-suppression/--no-noise-suppression",
            help="Take noise out of the microphone's sound.",
        ),
    ] = None
    gain_control: Annotated[
        bool | None,
        typer.Option(
            "--gain-control/--no-gain-control",
            help="Keep the microphone about as loud as speech is.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Everywhere:
    """The flags of every command, as they were written; None where they were not."""

    json: Annotated[
        bool | None, typer.Option("--json", help="JSON on standard output.")
    ] = None
    events: Annotated[
        str | None,
        typer.Option(
            "--events", metavar="PATH|fd:N", help="Events as JSON lines to there, too."
        ),
    ] = None
    quiet: Annotated[
        bool | None, typer.Option("--quiet", "-q", help="Say nothing but errors.")
    ] = None
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Say more; -vv: all.",
        ),
    ] = 0
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", help="What the log keeps.")
    ] = None
    log_format: Annotated[
        LogFormat | None, typer.Option("--log-format", help="Form of the log.")
    ] = None
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", metavar="PATH", help="Log there, not to stderr."),
    ] = None
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Local UDP port (0: any)."),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="PATH", help="Configuration file."),
    ] = None
    state_dir: Annotated[
        Path | None,
        typer.Option("--state-dir", metavar="PATH", help="Where the key is kept."),
    ] = None
    relay_token_file: Annotated[
        Path | None,
        typer.Option(
            "--relay-token-file", metavar="PATH", help="Token that the relay asks for."
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="TIME",
            parser=_option_value(parse_duration),
            help="Give up after this time: 500ms, 10s, 2m.",
        ),
    ] = None
    no_input: Annotated[
        bool | None, typer.Option("--no-input", help="Never ask; fail instead.")
    ] = None
    color: Annotated[
        Color | None, typer.Option("--color", help="Colour in what people read.")
    ] = None

    def over(self, earlier: Self) -> Self:
        """Return these flags, and `earlier` ones where these were not written."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            earlier,
            **{
                name: value
                for name, value in mine.items()
                if value is not None and (name, value) != ("verbose", 0)
            },
        )
