"""The same load through coturn, from its own tools.

Clients bind a channel each and send to an echo: one call's load is one client. One
relay thread serves them.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench._blast import FRAME_BYTES
from bench._load import PER_S, SECONDS, Load
from bench._stage import cpu_s


def coturn(calls: int) -> Load:
    """Send so many calls' frames through it."""
    count = int(PER_S * SECONDS)
    words = (
        *("-m", str(calls), "-n", str(count), "-l", str(FRAME_BYTES - 4), "-z", "20"),
        *("-c", "-e", "127.0.0.1", "-r", "3599", "-p", "3588"),
        *("-u", "u", "-w", "p", "127.0.0.1"),
    )
    with _turn_servers() as server:
        before_s = cpu_s(server)
        ran = subprocess.run(
            ["turnutils_uclient", *words], capture_output=True, text=True, timeout=120
        )
        spent_s = cpu_s(server) - before_s
    text = ran.stdout + ran.stderr
    received = re.findall(r"tot_recv_msgs=(\d+)", text)
    if not received:
        sys.exit(f"turnutils_uclient: {text[-500:]}")
    echoed = int(received[-1])
    sent = calls * count
    # It sends for about SECONDS; before and after that it sets up and waits.
    return Load(
        calls,
        2 * echoed / SECONDS,
        100 * (1 - echoed / sent),
        None,
        None,
        spent_s / SECONDS,
    )


@contextmanager
def _turn_servers() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as home:
        words = [
            *("turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", "3588"),
            *("--lt-cred-mech", "-u", "u:p", "-r", "bench", "--relay-threads=1"),
            *("--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli"),
            *("--log-file", f"{home}/log", "--pidfile", f"{home}/pid"),
            *("--userdb", f"{home}/db", "--simple-log", "--cli-password=x"),
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(words, **quiet)
        peer = subprocess.Popen(
            ["turnutils_peer", "-L", "127.0.0.1", "-p", "3599"], **quiet
        )
        time.sleep(2)
        try:
            yield server.pid
        finally:
            for process in (server, peer):
                process.terminate()
                process.wait()
