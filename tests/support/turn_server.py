"""coturn as deploy/turnserver.conf runs it: what a laboratory and this machine share.

Debian's package coturn; `stun_server: ...` says why a test can't have it.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.requirements import require
from wzp_cli.address import Address
from wzp_cli.endpoint.stun import message as stun

__all__ = ["SECRET", "turn_command", "turn_on_loopback"]

SECRET: Final = "a-secret-of-the-laboratory"
_DAEMON: Final = "turnserver"
_READY_S: Final = 10.0
_CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "turnserver.conf"


def turn_command(
    folder: Path, addresses: Sequence[str], *words: str, by_tcp: bool = False
) -> list[str]:
    """Return what serves TURN at these addresses; all that it writes is in `folder`.

    `by_tcp`: as docs/relay.md says it for networks that block UDP; words name a
    certificate.
    """
    daemon = shutil.which(_DAEMON, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if daemon is None:
        require("stun_server", f"there is no {_DAEMON} (Debian: coturn)")
    folder.mkdir(parents=True, exist_ok=True)
    text = _CONFIGURATION.read_text("utf-8")
    text = text.replace("CHANGE-ME", SECRET).replace("\nsyslog\n", "\n")
    if by_tcp:
        text = text.replace("\nno-tcp\n", "\n").replace("\nno-tls\n", "\n")
    path = folder / "turnserver.conf"
    path.write_text(text)
    at = [f"--listening-ip={address}" for address in addresses]
    at += [f"--relay-ip={address}" for address in addresses]
    return [
        *(daemon, "-c", str(path), *at, "--relay-threads=1"),
        *(f"--log-file={folder / 'log'}", f"--pidfile={folder / 'pid'}"),
        *(f"--userdb={folder / 'db'}", *words),
    ]


@contextlib.contextmanager
def turn_on_loopback(folder: Path) -> Iterator[Address]:
    """Serve TURN at a free port of 127.0.0.1, until left."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        server = Address(*free.getsockname())
    argv = turn_command(folder, [server.host], f"--listening-port={server.port}")
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(argv, cwd=folder, stdout=out, stderr=out)
    try:
        _await_ready(server, process, folder)
        yield server
    finally:
        process.terminate()
        process.wait()


def _await_ready(
    server: Address, process: subprocess.Popen[bytes], folder: Path
) -> None:
    deadline = time.monotonic() + _READY_S
    request = stun.encode_request(stun.new_transaction_id())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                probe.sendto(request, server[:2])
                if probe.recv(2048):
                    return
    raise AssertionError(f"coturn is not ready: {(folder / 'out').read_text()}")
