"""Who diagnoses a NAT beside wzp, and what each of their verdicts means.

Debian's stun-client and coturn (`turnutils_natdiscovery`) are taken as they are
installed; pystun3 goes into an environment of the bench's own. All of them, and wzp a
second time, ask one coturn with two addresses (RFC 5780); wzp else asks two relays.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.netlab.lab import Host
from tests.netlab.truths import TRUTHS, wrong_or_unknown

NAMES = ("wzp", "wzp at coturn", "stun-client", "natdiscovery", "pystun3")
PATIENT = ("natdiscovery", "pystun3")
"""Those that wait nearly all of the time, whatever the machine does."""
PATIENCE_S = 60.0
_VENV = Path("build/diagnose-rivals").absolute()
_PROGRAMS = {"stun-client": "stun", "natdiscovery": "turnutils_natdiscovery"}
_PACKAGES = {"stun-client": "stun-client", "natdiscovery": "coturn"}

_VERDICTS = {
    "stun-client": (
        (r"Primary: Open", "open"),
        (r"Independent Mapping, Independent Filter", "full cone"),
        (r"Independent Mapping, Address Dependent Filter", "address-restricted"),
        (r"Independent Mapping, Port Dependent Filter", "port-restricted"),
        (r"Primary: Dependent Mapping", "symmetric"),
        (r"Primary: Blocked", "blocked"),
    ),
    "natdiscovery": (
        (r"No NAT! ", "open"),
        (r"NAT with Address (and Port )?Dependent Mapping!", "symmetric"),
        (r"NAT with Endpoint Independent Filtering!", "full cone"),
        (r"NAT with Address Dependent Filtering!", "address-restricted"),
        (r"NAT with Address and Port Dependent Filtering!", "port-restricted"),
        (r"STUN receive timeout", "blocked"),
    ),
    "pystun3": (
        (r"NAT Type: Open Internet", "open"),
        (r"NAT Type: Full Cone", "full cone"),
        (r"NAT Type: Restric NAT", "address-restricted"),
        (r"NAT Type: Restric Port NAT", "port-restricted"),
        (r"NAT Type: Symmetric NAT", "symmetric"),
        (r"NAT Type: Blocked", "blocked"),
    ),
}
"""What each prints, and what that says; the first that fits counts."""


def why_not(name: str) -> str | None:
    """Install what a rival needs; say what keeps it from running, None if nothing."""
    if name in _PROGRAMS and shutil.which(_PROGRAMS[name]) is None:
        return f"not there; Debian: apt-get install {_PACKAGES[name]}"
    if name != "pystun3" or (_VENV / "bin" / "pystun3").exists():
        return None
    subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    words = [str(_VENV / "bin" / "pip"), "install", "-q", "pystun3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return f"pip: {done.stderr.strip()[-200:]}" if done.returncode else None


def truth(kind: str) -> str:
    """Return what is true of a kind, in one of the words that all of them have."""
    true = TRUTHS[kind]
    return _word(true["mapping"], true["filtering"], true["udp_blocked"])


def _word(mapping: str, filtering: str, blocked: bool | None) -> str:
    if blocked:
        return "blocked"
    if mapping == "none":
        return "open" if filtering == "none" else "unclear"
    if mapping.endswith("dependent") and mapping != "endpoint-independent":
        return "symmetric"
    restricted = {
        "endpoint-independent": "full cone",
        "address-dependent": "address-restricted",
        "address-and-port-dependent": "port-restricted",
    }
    known = mapping == "endpoint-independent"
    return restricted.get(filtering, "unclear") if known else "unclear"


@dataclass(frozen=True)
class Asker:
    """Runs one program on one host again and again.

    Attributes:
        name: Which program.
        kind: Of the host's NAT.
        relays: Two relays' hosts.
        coturn: Another host, where a coturn has two addresses.
        state: A folder for wzp's state.
    """

    name: str
    kind: str
    host: Host
    relays: Sequence[str]
    coturn: str
    state: Path

    def ask(self, port: int) -> dict[str, object]:
        """Run it from this local port; what it says, and how long it took."""
        began = time.monotonic()
        try:
            done = self.host.run(self._words(port), PATIENCE_S, env=_environment())
        except subprocess.TimeoutExpired:
            return {"said": "nothing", "right": False, "took_s": PATIENCE_S}
        took_s = round(time.monotonic() - began, 3)
        said, fields = self._read(done.stdout + done.stderr)
        right = said == truth(self.kind)
        return {"said": said, "right": right, "took_s": took_s, "fields": fields}

    def _words(self, port: int) -> list[str]:
        here = self.host.address
        if self.name == "stun-client":
            return ["stun", self.coturn, "-p", str(port)]
        if self.name == "natdiscovery":
            place = ["-L", here, "-l", str(port)]
            return ["turnutils_natdiscovery", "-m", "-f", *place, self.coturn]
        if self.name == "pystun3":
            place = ["-i", here, "-p", str(port)]
            return [str(_VENV / "bin" / "pystun3"), "-H", self.coturn, *place]
        servers = ["--stun", self.coturn]
        if self.name == "wzp":
            servers = [word for each in self.relays for word in ("--relay", each)]
        words = ["detect-nat", *servers, "--port", str(port), "--json"]
        return [sys.executable, "-m", "wzp_cli", *words, "--state-dir", str(self.state)]

    def _read(self, text: str) -> tuple[str, dict]:
        """Return the verdict, and what of wzp's fields is not as it should be."""
        if self.name not in _VERDICTS:
            lines = [line for line in text.splitlines() if line.startswith("{")]
            if not lines:
                return "nothing", {}
            found = json.loads(lines[-1])["result"]
            word = _word(found["mapping"], found["filtering"], found["udp_blocked"])
            return word, wrong_or_unknown(found, TRUTHS[self.kind])
        fitting = (word for form, word in _VERDICTS[self.name] if re.search(form, text))
        return next(fitting, "nothing"), {}


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    own = {
        "PYTHONPATH": str(Path.cwd()),
        "WZP_PUBLIC_STUN": "false",
        "HOME": "/nowhere",
    }
    return kept | own
