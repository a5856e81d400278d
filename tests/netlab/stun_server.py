"""coturn on a server of the laboratory: STUN as others run it.

With two addresses it is an RFC 5780 server: it answers from the other one on request.
Debian's package coturn; `stun_server: ...` says why a test can't have it.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.netlab.lab import Host
from tests.support.requirements import require
from wzp_cli.defaults.endpoint import STUN_DEFAULT_PORT
from wzp_cli.endpoint.stun import message as stun

__all__ = ["await_ready", "stun_server"]

_DAEMON: Final = "turnserver"
_READY_S: Final = 10.0


@contextlib.contextmanager
def stun_server(host: Host, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve STUN on all IPv4 addresses of a host, until left.

    Args:
        host: Where; RFC 5780 wants two addresses there.
        folder: For what the daemon keeps.
    """
    daemon = shutil.which(_DAEMON, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if daemon is None:
        require("stun_server", f"there is no {_DAEMON} (Debian: coturn)")
    folder.mkdir(parents=True, exist_ok=True)
    listening = [f"--listening-ip={address}" for address in host.addresses]
    settings = [
        *("-n", "--stun-only", "--no-auth", "--no-tls", "--no-dtls", "--no-cli"),
        *(f"--log-file={folder / 'log'}", "--simple-log"),
        *(f"--pidfile={folder / 'pid'}", f"--userdb={folder / 'db'}"),
        "--relay-threads=1",
    ]
    with (folder / "out").open("wb") as out:
        argv = [daemon, *settings, *listening]
        process = host.popen(argv, cwd=folder, stdout=out, stderr=out)
    try:
        await_ready(host, process, folder)
        yield process
    finally:
        process.terminate()
        process.wait()


def await_ready(host: Host, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a daemon on a host answers STUN; its output is in `folder`/out."""
    deadline = time.monotonic() + _READY_S
    request = stun.encode_request(stun.new_transaction_id())
    with host.socket(socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                probe.sendto(request, (host.addresses[-1], STUN_DEFAULT_PORT))
                if probe.recv(2048):
                    return
    raise AssertionError(f"coturn is not ready: {(folder / 'out').read_text()}")
