"""Walks as a newcomer does, through a bare Debian: what docs/walk.md tells.

`python3 docs/walk.py [FOLDER]`, from the repository, as root, with debootstrap. FOLDER
is the bare Debian (made if it is not there); then an ordinary user in it types the
README's commands, and each is told with its seconds, exit code and last lines.
"""

import pathlib
import shutil
import subprocess
import sys
import time

__all__ = ["main"]

ROOT = pathlib.Path(__file__).resolve().parents[1]
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
SHOWN_LINES = 40
DEBIAN = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm"]

AS_ROOT = ["apt-get update && apt-get install -y python3 git pipx"]

AS_USER = [
    "python3 dev.py demo",
    "pipx install .",
    "wzp",
    "wzp demo",
    "wzp doctor",
    "wzp setup --name Ada --relay 127.0.0.1:4999 --in tone --out null --no-input",
    "wzp relay --listen 127.0.0.1:4999 -q & sleep 4;"
    " wzp --state-dir /tmp/bob listen --auto-answer all --once --json >/tmp/listening &"
    " timeout 20 grep -q ready <(tail -f -n +1 /tmp/listening);"
    ' ticket=$(sed -n \'s/.*"ticket":"\\([^"]*\\)".*/\\1/p\' /tmp/listening);'
    ' wzp call "$ticket" --duration 3s; came=$?; kill $(jobs -p); exit $came',
]


def main(words: list[str]) -> None:
    """Walk, and tell of it."""
    debian = pathlib.Path(words[0] if words else "/tmp/wzp-walk")
    if not (debian / "usr/bin/apt-get").exists():
        subprocess.run([*DEBIAN, debian], check=True)
    for name in (CERTIFICATES, "etc/resolv.conf"):  # this machine's way out
        shutil.copy(f"/{name}", debian / name)
    for command in AS_ROOT:
        step(debian, command, "root")
    inside(debian, "id ada >/dev/null 2>&1 || useradd -m -s /bin/bash ada", "root")
    home = debian / "home/ada/wzp"
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", ROOT, home], check=True)
    inside(debian, "chown -R ada /home/ada", "root")
    for command in AS_USER:
        step(debian, command, "ada")


def step(debian: pathlib.Path, command: str, user: str) -> None:
    """Run one command, and print what came of it."""
    began = time.monotonic()
    ran = inside(debian, command, user)
    took_s = time.monotonic() - began
    last = "\n".join(ran.stdout.splitlines()[-SHOWN_LINES:])
    told = f"\n== {took_s:.1f} s, exit {ran.returncode}: {command}\n{last}\n"
    sys.stdout.write(told)
    sys.stdout.flush()


def inside(
    debian: pathlib.Path, command: str, user: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command there: processes of its own, and no sound card."""
    path = "export PATH=$HOME/.local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"
    home = "cd ~/wzp 2>/dev/null || cd ~"
    return subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *(f"--mount-proc={debian}/proc", "chroot", str(debian)),
            *("su", user, "-s", "/bin/bash", "-c", f"{path}; {home}; {command}"),
        ],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
