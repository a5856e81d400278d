"""`wzp doctor`: what is in the way of calls on this machine, and how to mend it."""

import textwrap
from collections import Counter
from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.doctor.finding import Finding
from wzp_cli.cli.options import RelayOption
from wzp_cli.errors import EnvironmentFault

if TYPE_CHECKING:
    from wzp_cli.cli.doctor.patient import Patient

__all__ = ["Diagnosis", "app", "checks", "doctor"]

_COLUMNS = 80
_CHECK_COLUMNS = 12
_INDENT = " " * 24


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All findings. `ready`: nothing is missing that calls need."""

    ready: bool
    system: str
    findings: list[Finding]


app = command_app()


@command(app, "doctor", result=Diagnosis, mends=True)
async def doctor(
    session: Session,
    relay: RelayOption = None,
    sound: Annotated[
        bool, typer.Option("--sound/--no-sound", help="Try the sound card, too.")
    ] = True,
) -> Outcome:
    """Say what is missing for calls on this machine, and how this system gets it."""
    from dataclasses import replace

    from wzp_cli.cli.doctor.patient import Patient
    from wzp_cli.cli.doctor.remedies import remedies_here

    session = replace(session, settings=session.settings.with_servers(relay=relay))
    remedies = remedies_here()
    findings = await _examined(Patient(session, remedies, sound))
    missing = [each for each in findings if each.status == "failed"]
    found = Diagnosis(ready=not missing, system=remedies.system, findings=findings)
    names = ", ".join(dict.fromkeys(each.check for each in missing))
    error = (
        EnvironmentFault(f"calls do not work here yet: {names}") if missing else None
    )
    return Outcome(found, _text(found), error)


async def _examined(patient: "Patient") -> list[Finding]:
    """Return what each check found, in their order."""
    found: list[Finding] = []
    for check in checks():
        result = check(patient)
        result = await result if isawaitable(result) else result
        found += result if isinstance(result, list) else [result]
    return found


def checks() -> "list[Callable[[Patient], Any]]":
    """Return the checks, in the order in which they are told."""
    from wzp_cli.cli.doctor import files, machine, network, relays, sound

    return [
        machine.check_python,
        machine.check_packages,
        machine.check_terminal,
        machine.check_load,
        files.check_config,
        files.check_state,
        files.check_disk,
        files.check_identity,
        files.check_lists,
        files.check_clock,
        network.check_running,
        machine.check_libopus,
        sound.check_portaudio,
        sound.check_microphone,
        sound.check_speaker,
        sound.check_voice,
        sound.check_echo,
        network.check_interfaces,
        network.check_lan,
        network.check_ipv6,
        network.check_udp,
        network.check_port,
        network.check_firewall,
        network.check_dns,
        relays.check_relays,
    ]


def _text(found: Diagnosis) -> str:
    return "\n".join([_verdict(found), *map(_lines, found.findings)])


def _verdict(found: Diagnosis) -> str:
    count = Counter(each.status for each in found.findings)
    if count["failed"]:
        return f"Calls do not work here yet: {_things(count['failed'])} to mend."
    worse = count["warning"] + count["note"]
    if worse:
        return f"Ready for calls; {_things(worse)} could be better."
    return "Ready for calls: everything is well."


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _lines(finding: Finding) -> str:
    head = f"  {finding.status:<7}  {finding.check:<{_CHECK_COLUMNS}} "
    lines = textwrap.wrap(
        finding.message, _COLUMNS, initial_indent=head, subsequent_indent=_INDENT
    )
    if finding.fix is not None:
        lines += textwrap.wrap(
            finding.fix,
            _COLUMNS,
            initial_indent=f"{_INDENT}fix: ",
            subsequent_indent=f"{_INDENT}     ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
