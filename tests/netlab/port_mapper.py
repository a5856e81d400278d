"""miniupnpd in a router of the laboratory: PCP, NAT-PMP and UPnP, as homes have them.

    with mapping_router(lab.host("a-nat1"), folder):
        ...

Debian's package miniupnpd-nftables; `port_mapper: ...` says why a test can't have it.
"""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.netlab.lab import Host
from tests.support.requirements import require

__all__ = ["Protocols", "external_ports", "mapping_router"]

Protocols = frozenset[str]
_DAEMON: Final = "miniupnpd"
_READY_S: Final = 10.0

# miniupnpd fills the three empty chains; what it sends on has to pass the firewall too.
_CHAINS: Final = """
table inet miniupnpd {
  chain forward { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain prerouting {
    type nat hook prerouting priority dstnat - 1
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1
    jump postrouting_miniupnpd
  }
}
insert rule inet filter forward ct status dnat accept
"""
_CONFIG: Final = """
ext_ifname=wan
listening_ip=lan
http_port=49000
{upnp}
{pcp}
secure_mode=yes
notify_interval=900
min_lifetime=10
max_lifetime=86400
clean_ruleset_interval=600
lease_file={folder}/leases
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=forward
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 0.0.0.0/0 1024-65535
"""


@contextlib.contextmanager
def mapping_router(
    router: Host, folder: Path, *, upnp: bool = True, pcp: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """Let a kernel NAT map ports on request.

    Args:
        router: The one whose `lan` and `wan` it is about.
        folder: For what the daemon keeps.
        upnp: Whether it speaks UPnP IGD.
        pcp: Whether it speaks PCP and NAT-PMP.
    """
    daemon = shutil.which(_DAEMON, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if daemon is None:
        require("port_mapper", f"there is no {_DAEMON} (Debian: miniupnpd-nftables)")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "miniupnpd.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            upnp=f"enable_upnp={'yes' if upnp else 'no'}",
            pcp=f"enable_natpmp={'yes' if pcp else 'no'}",
        )
    )
    loaded = router.run(["nft", "-f", "-"], text=_CHAINS)
    assert loaded.returncode == 0, loaded.stderr
    log = folder / "miniupnpd.log"
    with log.open("wb") as out:
        pid_file = folder / "pid"
        process = router.popen(
            [daemon, "-d", "-f", str(config), "-P", str(pid_file)],
            stdout=out,
            stderr=out,
        )
    try:
        _await_ready(process, log)
        yield process
    finally:
        process.terminate()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if re.search(r"HTTP listening on port|Listening for NAT-PMP", log.read_text()):
            return
        time.sleep(0.05)
    raise AssertionError(f"miniupnpd is not ready: {log.read_text()}")


def external_ports(router: Host) -> dict[int, str]:
    """Return what the router sends on now: external UDP port to "host:port"."""
    listing = router.run(
        ["nft", "list", "chain", "inet", "miniupnpd", "prerouting_miniupnpd"]
    ).stdout
    found = re.findall(r"dport (\d+) .*dnat (?:ip )?to ([\d.]+:\d+)", listing)
    return {int(port): where for port, where in found}
