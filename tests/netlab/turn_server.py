"""coturn on a server of the laboratory, configured as deploy/ says."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.netlab.lab import Host
from tests.netlab.stun_server import await_ready
from tests.support.turn_server import turn_command

__all__ = ["turn_server"]


@contextlib.contextmanager
def turn_server(
    host: Host, folder: Path, *words: str, by_tcp: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve TURN on a host's IPv4 addresses, until left."""
    argv = turn_command(folder, host.addresses, *words, by_tcp=by_tcp)
    with (folder / "out").open("wb") as out:
        process = host.popen(argv, cwd=folder, stdout=out, stderr=out)
    try:
        await_ready(host, process, folder)
        yield process
    finally:
        process.terminate()
        process.wait()
