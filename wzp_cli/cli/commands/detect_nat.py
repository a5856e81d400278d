"""`wzp detect-nat`: what the NAT in front of this machine does."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.nat.document import DetectedNat, changed_keys, diagnosis_of
from wzp_cli.cli.nat.pair import forecast_pair_document
from wzp_cli.cli.options import (
    DurationOption,
    EveryOption,
    PublicStunOption,
    RelayOption,
    SilenceOption,
    StunOption,
)
from wzp_cli.defaults.diagnosis import (
    LIFETIME_MAX_SILENCE_S,
    LIFETIME_MAX_SILENCES,
    LIFETIME_SILENCES_S,
)
from wzp_cli.errors import (
    NameNotFound,
    NetworkError,
    RelayUnreachable,
    RequirementNotMet,
    UsageError,
    WzpError,
)
from wzp_cli.events import NatDetected
from wzp_cli.protocol.nat import Mapping

if TYPE_CHECKING:
    from wzp_cli.cli.control.measuring import Measuring

__all__ = ["app", "detect_nat"]

app = command_app()

Require = Literal["direct", "limited", "udp"]


@command(app, "detect-nat", result=DetectedNat, stream="every", answers=True)
async def detect_nat(
    session: Session,
    relay: RelayOption = None,
    stun: StunOption = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="MAPPING", help="Exit 3 if it is another."),
    ] = None,
    require: Annotated[
        Require | None, typer.Option("--require", help="Exit 3 if it is not so.")
    ] = None,
    portmap: Annotated[
        bool, typer.Option("--portmap", help="Ask the router if it maps ports, too.")
    ] = False,
    public_stun: PublicStunOption = None,
    forecast_with: Annotated[
        str | None,
        typer.Option(
            "--forecast-with",
            metavar="REPORT.json",
            help="The peer's report: how will a call go?",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Also how long a mapping lasts; takes minutes."),
    ] = False,
    silence: SilenceOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what the words mean.")
    ] = False,
    every: EveryOption = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="With --every: only what is new.")
    ] = False,
    duration: DurationOption = None,
) -> Outcome | None:
    """Say how the NAT treats the one socket, and what that means for calls."""
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.control.measuring import Measuring, measurement
    from wzp_cli.cli.nat.reports import read_report
    from wzp_cli.cli.nat.text import diagnosis_text, terminal_columns

    settings = session.settings.with_servers(relay=relay, stun=stun)
    _check_words(expect, every, changes, duration)
    silences_s = _silences_s(full, silence, every)
    peer = None if forecast_with is None else read_report(forecast_with)
    request = measurement(settings, portmap=portmap, public_stun=public_stun)
    async with Measuring(session, own_state(session), request) as measuring:
        wanted = _Wanted(expect, require, peer)
        if every is not None:
            await _watch(session, measuring, wanted, every, changes, duration)
            return None
        found = await measuring.measure()
        if silences_s and found.reflexive is not None:
            found = await measuring.with_lifetime(found, silences_s)
        found = wanted.with_pair(found)
    text = diagnosis_text(found, terminal_columns(), explain=explain, all_rows=explain)
    return Outcome(found, text, _unanswered(found) or wanted.unmet(found))


def _check_words(
    expect: str | None, every: float | None, changes: bool, duration: float | None
) -> None:
    known = [each.value for each in Mapping]
    if expect is not None and expect not in known:
        raise UsageError(f"--expect {expect}: not one of {', '.join(known)}")
    if every is None and (changes or duration is not None):
        raise UsageError("--changes and --duration are about --every: say how often")


def _silences_s(
    full: bool, said: list[float] | None, every: float | None
) -> Sequence[float]:
    """Return which silences to try, the shortest first; none: do not."""
    if not (full or said):
        return ()
    if every is not None:
        raise UsageError("--full takes minutes: not with --every")
    if said is None:
        return LIFETIME_SILENCES_S
    silences_s = sorted(set(said))
    if silences_s[-1] > LIFETIME_MAX_SILENCE_S:
        raise UsageError("--silence: an hour at most")
    if len(silences_s) > LIFETIME_MAX_SILENCES:
        raise UsageError(f"--silence: at most {LIFETIME_MAX_SILENCES} of them")
    return silences_s


class _Wanted:
    """What the user wants to be true, and with whom."""

    def __init__(
        self, expect: str | None, require: Require | None, peer: DetectedNat | None
    ) -> None:
        self._expect = expect
        self._require = require
        self._peer = peer

    def with_pair(self, found: DetectedNat) -> DetectedNat:
        """Return the document with the forecast for the peer, if there is one."""
        if self._peer is None:
            return found
        pair = forecast_pair_document(diagnosis_of(found), diagnosis_of(self._peer))
        return msgspec.structs.replace(found, pair=pair)

    def unmet(self, found: DetectedNat) -> RequirementNotMet | None:
        """Return what is not as it was stated."""
        if self._expect is not None and self._expect != found.mapping:
            return RequirementNotMet(
                f"the mapping is {found.mapping}, not {self._expect}"
            )
        if self._require == "udp" and found.udp_blocked is not False:
            return RequirementNotMet("UDP is blocked, or nobody answered")
        if self._require in ("direct", "limited") and found.pair is not None:
            direct = found.pair.outcome in ("direct", "search")
            return None if direct else RequirementNotMet(found.pair.summary)
        good = {"direct": ("likely",), "limited": ("likely", "limited")}
        if self._require in good and found.verdict not in good[self._require]:
            return RequirementNotMet(found.summary)
        return None


def _unanswered(found: DetectedNat) -> NetworkError | None:
    heard = any(answer.reflexive is not None for answer in found.servers)
    if heard or found.tcp_relay is not None:
        return None
    if not found.local:
        return NetworkError("this machine has no address on any network")
    if found.names_found is False:
        return NameNotFound("no address was found for any server")
    return RelayUnreachable("no server answered; is UDP blocked here?")


async def _watch(
    session: Session,
    measuring: "Measuring",
    wanted: _Wanted,
    every_s: float,
    changes: bool,
    duration_s: float | None,
) -> None:
    """Measure again and again, until time is up.

    Raises:
        RequirementNotMet: As soon as what was stated is not so.
    """
    before: DetectedNat | None = None
    now = asyncio.get_running_loop().time
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            while True:
                began = now()
                found = wanted.with_pair(await measuring.measure())
                told = _told(before, found)
                if before is None or told.changed or not changes:
                    session.report(told)
                unmet = wanted.unmet(found)
                if unmet is not None:
                    raise unmet
                before = found
                await asyncio.sleep(began + every_s - now())


def _told(before: DetectedNat | None, found: DetectedNat) -> NatDetected:
    from wzp_cli.cli.nat.text import line_of

    error: WzpError | None = _unanswered(found)
    return NatDetected(
        summary=line_of(found),
        changed=[] if before is None else changed_keys(before, found),
        result=msgspec.to_builtins(found),
        error=None if error is None else error.code,
    )
