"""A laboratory for trying by hand.

    python -m tests.netlab kinds
    python -m tests.netlab up masquerade-drop carrier --hops 6
    python -m tests.netlab up masquerade-drop fully-random \\
        --exec 'r1: wzp relay &' --exec 'a: wzp detect-nat --relay $R1'

Without --exec it prints what is where and stays until Ctrl-C or the end of its input.
With --exec it runs the commands in order (a trailing `&` leaves one running), leaves,
and exits with the first failure's code. In a command every server's address stands in a
variable ($R1, $R2, $R3), and `wzp` has a state directory for each host.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.netlab.lab import Host, Lab
from tests.netlab.namespaces import LabUnavailable
from tests.netlab.nats import KINDS

__all__ = ["main"]

_CANNOT_BUILD: Final = 7


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(argv)
    if options.command == "kinds":
        _say(*(f"{kind.name:27} {kind.about}" for kind in KINDS.values()))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _up(options)
    except KeyboardInterrupt:
        return 130
    except LabUnavailable as error:
        sys.stderr.write(f"no laboratory: {error}\n")
        return _CANNOT_BUILD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="netlab", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kinds", help="list the kinds of NAT")
    up = commands.add_parser("up", help="build sites a, b, ... behind NATs")
    up.add_argument("kinds", nargs="+", choices=list(KINDS), metavar="KIND")
    up.add_argument("--hops", type=int, default=1, help="routers from site to server")
    up.add_argument("--ipv6", action="store_true", help="IPv6 everywhere")
    up.add_argument("--exec", action="append", metavar="'HOST: CMD'", dest="jobs")
    return parser


def _up(options: argparse.Namespace) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="wzp-netlab-") as state,
        Lab(*options.kinds, hops=options.hops, ipv6=options.ipv6) as lab,
    ):
        if options.jobs:
            return _run_jobs(lab, Path(state), options.jobs)
        _say(*_map(lab), "", *_commands(lab, Path(state)), "")
        _say("Ctrl-C or the end of input removes everything.")
        sys.stdin.read()
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _map(lab: Lab) -> list[str]:
    """One line for each machine: name, addresses, what it is."""
    about = {
        h.name: f"behind {s.kind.name}" for s in lab.sites.values() for h in s.hosts
    }
    return [
        f"{host.name:8} {' '.join([*host.addresses, *host.addresses_v6]):30} "
        f"{_seen_as(host)}{about.get(host.name, '')}".rstrip()
        for host in lab.hosts.values()
    ]


def _seen_as(host: Host) -> str:
    return "" if host.public in host.addresses else f"seen as {host.public}, "


def _commands(lab: Lab, state: Path) -> list[str]:
    """The words to type in other terminals."""
    first, *others = lab.sites
    relay = f"--relay {lab.host('r1').address}"
    lines = [_typed(lab, "r1", state, "relay")]
    for name in others:
        lines.append(
            _typed(lab, name, state, f"listen {relay} --auto-answer all --echo")
        )
    call = f"call PEER {relay} --in tone --out null --duration 10s"
    return [
        *lines,
        _typed(lab, first, state, call),
        "(PEER: the id that listen prints)",
    ]


def _typed(lab: Lab, name: str, state: Path, words: str) -> str:
    host = lab.host(name)
    enter = host.enter if lab.rootless else ["ip", "netns", "exec", host.namespace]
    return f"{shlex.join([*enter, *_wzp()])} {words} --state-dir {state / name}"


def _wzp() -> list[str]:
    script = Path(sys.executable).with_name("wzp")
    return [str(script)] if script.exists() else [sys.executable, "-m", "wzp_cli"]


def _run_jobs(lab: Lab, state: Path, jobs: Sequence[str]) -> int:
    for job in jobs:
        name, _, command = job.partition(":")
        if name not in lab.hosts:
            sys.stderr.write(f"no host {name!r}: {', '.join(lab.hosts)}\n")
            return 2
        left_running = command.rstrip().endswith("&")
        process = lab.host(name).popen(
            ["sh", "-c", command.rstrip().rstrip("&")],
            env=_environment(lab, state / name),
        )
        if not left_running and (code := process.wait()):
            return _shell_code(code)
    return 0


def _environment(lab: Lab, state: Path) -> dict[str, str]:
    hosts = lab.hosts.items()
    found = {name.upper(): host.address for name, host in hosts if name.isalnum()}
    folder = str(Path(sys.executable).parent)
    path = folder + os.pathsep + os.environ.get("PATH", os.defpath)
    return os.environ | found | {"WZP_STATE_DIR": str(state), "PATH": path}


def _shell_code(code: int) -> int:
    """What a shell would say of a process: 128 and the signal where it was killed."""
    return code if code > 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
