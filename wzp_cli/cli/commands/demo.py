"""`wzp demo`: does it work here? Calls between three parts of one process."""

import textwrap
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from wzp_cli.address import HostPort
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.defaults.program import DEMO_MIN_CORRELATION
from wzp_cli.errors import WzpError
from wzp_cli.services.demo.report import DemoCall, DemoReport

if TYPE_CHECKING:
    from wzp_cli.endpoint.endpoint import Endpoint
    from wzp_cli.ports import OpenSound
    from wzp_cli.services.demo.stage import DemoParts, Trio

__all__ = ["app", "demo"]

_LOOPBACK = "127.0.0.1"
_COLUMNS = 80


app = command_app()


@command(app, "demo", result=DemoReport)
async def demo(
    session: Session,
    source: Annotated[
        str | None,
        typer.Option("--in", metavar="FILE", help="WAV file to send (first minute)."),
    ] = None,
    sink: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="WAV file for what was heard."),
    ] = None,
) -> Outcome:
    """Call from this machine to this machine, and compare what was said and heard."""
    from wzp_cli.services.demo.stage import demo as play

    async with AsyncExitStack() as stack:
        sound = await _opened(stack, source, sink)
        trio = await _trio(stack, session)
        report = await play(trio, _parts(trio, sound), session.report)
    failure = WzpError("A call on this machine did not go as it should.")
    return Outcome(report, _text(report), failure if report.problems else None)


class _Sound(NamedTuple):
    """What is said (None: the demo's own sound), and where it goes."""

    words: "OpenSound | None"
    heard: "OpenSound"


async def _opened(
    stack: AsyncExitStack, source: str | None, sink: str | None
) -> _Sound:
    """Open the files: a wrong name is told before anything is called."""
    from wzp_cli.adapters.sound import check_words
    from wzp_cli.cli.sound import SoundWords, keep_open, sound_opener

    words = SoundWords(_word(source), _word(sink))
    check_words(words.source, words.sink)
    heard = await stack.enter_async_context(keep_open(words))
    said = sound_opener(SoundWords(words.source, "null"))
    return _Sound(None if source is None else said, heard)


def _parts(trio: "Trio", sound: _Sound) -> "DemoParts":
    from wzp_cli.adapters.sound import open_codec
    from wzp_cli.cli.sound import SoundWords, sound_opener
    from wzp_cli.relay.server import RelaySettings, run_relay
    from wzp_cli.services.demo.stage import DemoParts

    async def serve(endpoint: "Endpoint") -> None:
        await run_relay(endpoint, (), RelaySettings(), lambda event: None)

    return DemoParts(
        run_relay=serve,
        relay=HostPort(trio.relay.local.host, trio.relay.local.port),
        open_silence=sound_opener(SoundWords("null", "null")),
        open_words=sound.words,
        open_heard=sound.heard,
        open_codec=open_codec,
    )


async def _trio(stack: AsyncExitStack, session: Session) -> "Trio":
    """Open three sockets for three identities that nobody meets again."""
    from wzp_cli.endpoint.factory import Bind, open_endpoint
    from wzp_cli.protocol.names.identity import Keypair
    from wzp_cli.services.demo.stage import Trio

    bind = Bind(host=_LOOPBACK)
    relay, listener, caller = [
        await stack.enter_async_context(
            open_endpoint(Keypair.generate(), bind, session.report)
        )
        for _ in range(3)
    ]
    return Trio(relay, listener, caller)


def _word(path: str | None) -> str:
    return "null" if path is None else f"file:{path}"


def _text(report: DemoReport) -> str:
    """Return what was shown in lines that a narrow terminal holds."""
    relayed, direct = report.over_relay, report.direct
    rows = [("parts", "relay, listener and caller, with one UDP socket each")]
    if report.codec is not None:
        rows.append(("codec", report.codec))
    if relayed is not None:
        rows += _relayed_rows(relayed, report)
    if direct is not None:
        rows += _direct_rows(direct)
    rows += [("problem", problem) for problem in report.problems]
    first = (
        "Calls do not work on this machine"
        if report.problems
        else "Calls work on this machine"
    )
    return "\n".join([first, *(_row(name, words) for name, words in rows)])


def _relayed_rows(call: DemoCall, report: DemoReport) -> list[tuple[str, str]]:
    seen = "sound that it could read" if report.relay_read_sound else "all opaque to it"
    return [
        ("call 1", f"over the relay: answered after {_ms(call.setup_ms)}"),
        ("", _heard(call)),
        ("relay", f"passed on {report.relay_datagrams} datagrams, {seen}"),
    ]


def _direct_rows(call: DemoCall) -> list[tuple[str, str]]:
    way = f"not direct: {call.why_not_direct}"
    if call.time_to_direct_ms is not None:
        way = f"direct {_ms(call.time_to_direct_ms)} later, to {call.remote}"
    return [
        ("call 2", f"answered after {_ms(call.setup_ms)}, {way}"),
        ("", _heard(call)),
    ]


def _heard(call: DemoCall) -> str:
    if call.correlation is None:
        return "only silence was sent"
    judged = "heard" if call.correlation >= DEMO_MIN_CORRELATION else "not heard"
    frames = f"{call.concealed} of {call.sent} concealed"
    likeness = f"(correlation {call.correlation:.2f})"
    return f"{judged} as sent {likeness}, {_ms(call.delay_ms)} late, {frames}"


def _ms(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f} ms"


def _row(name: str, words: str) -> str:
    label = f"{name}:" if name else ""
    return textwrap.fill(
        words,
        _COLUMNS,
        initial_indent=f"  {label:<9}",
        subsequent_indent=" " * 11,
    )
