import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from wzp_cli.adapters.disk.state import (
    Contact,
    State,
    default_state_directory,
    open_state,
)
from wzp_cli.address import HostPort
from wzp_cli.defaults.program import REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST
from wzp_cli.errors import KeyChanged, StateUnusable, UsageError
from wzp_cli.ports import RelayPins
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.policy import STRANGER, Policy

ALICE = Keypair.from_seed(b"\1" * 32).identity
BOB = Keypair.from_seed(b"\2" * 32).identity
NOBODY = 65534


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path / "state")


def test_the_folder_is_where_xdg_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_state_directory() == tmp_path / "wzp"
        assert open_state().directory == tmp_path / "wzp"


def test_a_key_is_made_once(state: State) -> None:
    keypair = state.keypair
    path = state.directory / "identity.key"
    assert state.keypair is keypair
    assert open_state(state.directory).keypair.identity == keypair.identity
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or sys.platform == "win32"
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")


def test_processes_that_start_at_once_have_one_key_and_port(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from wzp_cli.adapters.disk.state import open_state\n"
        "sys.stdin.read()\n"
        "state = open_state(pathlib.Path(sys.argv[1]))\n"
        "print(state.keypair.identity, state.port)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "state")]
    started = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:  # all of them wait for the end of their input
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    said = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert len(said) == 1
    assert said.pop().startswith("wzp1")


def p256() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"\xff\0", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"cut", b"p256"],
)
def test_a_damaged_key_is_never_replaced(state: State, content: bytes) -> None:
    path = state.directory / "identity.key"
    state.new_identity()
    whole = path.read_bytes()
    damaged = {b"cut": whole[: len(whole) // 2], b"p256": p256()}.get(content, content)
    path.write_bytes(damaged)
    again = open_state(state.directory)
    for use in (lambda: again.keypair, again.new_identity):
        with pytest.raises(StateUnusable, match=r"identity\.key holds no Ed25519 key"):
            use()
    assert path.read_bytes() == damaged


def test_another_identity_keeps_the_one_before(state: State) -> None:
    assert state.new_identity()[1] is None
    before = state.keypair
    after, kept = state.new_identity()
    assert state.keypair is after
    assert after.identity != before.identity
    assert open_state(state.directory).keypair.identity == after.identity
    assert kept == state.directory / f"identity-{before.identity.short}.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 or sys.platform == "win32"
    kept.replace(state.directory / "identity.key")
    assert open_state(state.directory).keypair.identity == before.identity


def test_the_port_is_remembered(state: State) -> None:
    port = state.port
    assert REMEMBERED_PORT_FIRST <= port <= REMEMBERED_PORT_LAST
    assert open_state(state.directory).port == port
    state.remember_port(41822)
    assert open_state(state.directory).port == 41822


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "-1", "\u0661", "9" * 5000])
def test_a_damaged_port_is_drawn_again(state: State, text: str) -> None:
    (state.directory / "port").write_text(text, "utf-8")
    assert REMEMBERED_PORT_FIRST <= state.port <= REMEMBERED_PORT_LAST
    assert open_state(state.directory).port == state.port


def test_a_second_process_knows_that_the_port_is_taken(state: State) -> None:
    second = open_state(state.directory)
    with state.claim_port() as ours, second.claim_port() as theirs:
        assert (ours, theirs) == (True, False)
        assert second.port == state.port  # still readable
    with second.claim_port() as theirs:
        assert theirs


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A folder of this user's own; root, who may write everywhere, is nobody here."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        if is_root:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if is_root:
                os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are not so there")
def test_a_folder_that_can_not_be_written(nobodys_folder: Path) -> None:
    nobodys_folder.chmod(0o500)
    try:
        for use in (
            lambda: open_state(nobodys_folder).keypair,
            lambda: open_state(nobodys_folder).port,
            lambda: open_state(nobodys_folder).new_identity(),
        ):
            with pytest.raises(StateUnusable, match="permission"):
                use()
    finally:
        nobodys_folder.chmod(0o700)


def test_a_relay_is_pinned_until_it_is_forgotten(state: State) -> None:
    pins: RelayPins = state.known_relays
    assert pins.pinned("r1.example:4433") is None
    pins.pin("r1.example:4433", ALICE.key)
    pins.pin("[2001:db8::1]:4433", BOB.key)
    pins.pin("R1.example:4433", ALICE.key)
    assert (state.directory / "known_relays").read_text() == (
        f"r1.example:4433 {ALICE}\n[2001:db8::1]:4433 {BOB}\n"
    )
    known = open_state(state.directory).known_relays
    assert known.pinned("R1.EXAMPLE:4433") == ALICE.key
    assert known.forget("r1.example:4433")
    assert not known.forget("r1.example:4433")
    assert known.all() == {"[2001:db8::1]:4433": BOB}


def test_a_changed_key_of_a_relay_is_refused(state: State) -> None:
    state.known_relays.pin("r1.example:4433", ALICE.key)
    with pytest.raises(KeyChanged, match=r"wzp id forget r1\.example:4433"):
        state.known_relays.pin("r1.example:4433", BOB.key)
    assert state.known_relays.pinned("r1.example:4433") == ALICE.key


@pytest.mark.parametrize("relay", ["", " ", "a b:1", f"a\nb:1 {BOB}", "#a:1"])
def test_a_relays_name_can_not_add_lines(state: State, relay: str) -> None:
    with pytest.raises(UsageError):
        state.known_relays.pin(relay, ALICE.key)
    assert state.known_relays.all() == {}


@pytest.mark.parametrize(
    "line", ["r1.example:4433", f"r1.example:4433 {ALICE}x", f"a b {ALICE}", "x"]
)
def test_a_damaged_pin_does_not_unpin(state: State, line: str) -> None:
    path = state.directory / "known_relays"
    path.write_text(f"# mine\n\n{line}\n")
    relays = state.known_relays
    for use in (
        relays.all,
        lambda: relays.pinned("r2:1"),
        lambda: relays.pin("r2:1", BOB.key),
    ):
        with pytest.raises(StateUnusable, match=r"Line 3 of .*known_relays"):
            use()
    assert path.read_text().endswith(f"{line}\n")


def test_what_is_said_of_somebody_follows_the_key(state: State) -> None:
    state.contacts.add(Contact("Ada", ALICE, auto_answer=False, always_relay=True))
    assert state.policy(ALICE) == Policy("Ada", auto_answer=False, always_relay=True)
    assert state.policy(BOB) == STRANGER
    before = state.policies()
    state.blocked.add(BOB)
    state.blocked.add(ALICE)
    assert state.policy(BOB) == Policy(refused=True)
    assert state.policy(ALICE).refused
    assert not before(BOB).refused, "it is what was known then"


@pytest.mark.parametrize("name", ["contacts", "blocked"])
def test_nobody_is_let_in_because_a_file_is_damaged(state: State, name: str) -> None:
    (state.directory / name).write_text("# all\nnonsense\n")
    with pytest.raises(StateUnusable, match=rf"Line 2 of .*{name}"):
        state.policy(ALICE)


def test_the_nearest_relay_is_remembered(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state")
    assert state.preferred_relay is None
    state.preferred_relay = "relay.example:4433"
    assert open_state(state.directory).preferred_relay == "relay.example:4433"
    (state.directory / "preferred_relay").write_text("no relay\n")
    assert state.preferred_relay is None


def test_a_relays_tcp_port_is_remembered(state: State) -> None:
    relays = state.known_relays
    assert relays.tcp_port("r1.example:4433") is None
    relays.note_tcp_port("R1.example:4433", 8443)
    relays.note_tcp_port("r2.example:4433", 443)
    relays.note_tcp_port("r1.example:4433", 9443)
    again = open_state(state.directory).known_relays
    assert again.tcp_port("r1.example:4433") == 9443
    told = [again.told(HostPort(host, 4433)) for host in ("r1.example", "r2.example")]
    assert [str(each) for each in told] == [
        "r1.example:4433/tcp=9443",
        "r2.example:4433",
    ]
    path = state.directory / "relay_tcp_ports"
    assert path.read_text() == "r1.example:4433 9443\nr2.example:4433 443\n"
    path.write_text("r1.example:4433 0\n")
    with pytest.raises(StateUnusable, match=r"Line 1 of .*relay_tcp_ports"):
        again.tcp_port("r1.example:4433")
