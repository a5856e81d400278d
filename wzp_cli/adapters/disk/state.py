"""What wzp remembers between runs: one folder, 0700, in `$XDG_STATE_HOME/wzp`.

    identity.key            private key, PKCS #8 in PEM, 0600
    identity-<short>.key    keys before it, kept by `wzp id new`
    port                    the UDP port, in decimal
    preferred_relay         host:port of the nearest relay, measured
    known_relays            host:port wzp1...           one a line
    relay_tcp_ports         host:port port              one a line
    contacts, blocked       who is known, who is refused: contacts.py
    write.lock, port.lock   held while writing; while the remembered port is in use

Files are replaced as a whole and under the lock, so two processes that start at once
end up with the same key and port.
"""

import contextlib
import random
import stat
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from wzp_cli.adapters.disk.contacts import Blocked, Contact, Contacts
from wzp_cli.adapters.disk.line_files import read_lines, write_lines, writing
from wzp_cli.adapters.disk.private_files import (
    make_private_directory,
    read_private,
    read_text,
    replace_file,
    try_exclusive,
)
from wzp_cli.address import HostPort
from wzp_cli.defaults.program import REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST
from wzp_cli.defaults.relay import RELAY_TCP_DEFAULT_PORT
from wzp_cli.errors import KeyChanged, StateUnusable, UsageError
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.policy import Policy, PolicyOf

__all__ = [
    "Contact",
    "Contacts",
    "KnownRelays",
    "State",
    "default_state_directory",
    "open_state",
    "read_key_file",
]


def default_state_directory() -> Path:
    """Return `$XDG_STATE_HOME/wzp`, or what the system has in its place."""
    from platformdirs import user_state_path

    return user_state_path("wzp", appauthor=False)


def open_state(directory: Path | None = None) -> "State":
    """Return the state in `directory` (None: the default), made if it is not there.

    Raises:
        StateUnusable: The folder can't be made, or others can write in it.
    """
    directory = directory or default_state_directory()
    make_private_directory(directory)
    return State(directory)


def read_key_file(path: Path) -> Keypair:
    """Return the key in a file of the operator's: a fleet of relays shares one.

    Its owner may be another user, as that of a service's credentials is.

    Raises:
        StateUnusable: It is not there, is damaged, or every user can read it.
    """
    try:
        pem, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        why = error.strerror or str(error)
        raise StateUnusable(f"{path}: {why}. Name the key with --key-file.") from error
    if sys.platform != "win32" and mode & stat.S_IROTH:
        raise StateUnusable(f"Every user can read {path}. Run: chmod o= {path}")
    return _decode_key(path, pem)


class State:
    """The state folder. Reads what is asked for, when it is asked for.

    Attributes:
        known_relays: The keys of relays met before.
        contacts: Names for identities.
        blocked: Identities that are refused.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.known_relays = KnownRelays(directory)
        self.contacts = Contacts(directory)
        self.blocked = Blocked(directory)
        self._key_path = directory / "identity.key"
        self._port_path = directory / "port"
        self._relay_path = directory / "preferred_relay"
        self._keypair: Keypair | None = None  # `id new` elsewhere changes the next run

    @property
    def keypair(self) -> Keypair:
        """This user's key, made on first use.

        Raises:
            StateUnusable: It can't be read or made, is damaged, or others can read it.
        """
        if self._keypair is None:
            self._keypair = self._read_key() or self._make_key()
        return self._keypair

    def _read_key(self) -> Keypair | None:
        pem = read_private(self._key_path)
        return None if pem is None else _decode_key(self._key_path, pem)

    def _make_key(self) -> Keypair:
        with self._writing():
            keypair = self._read_key()  # another process was faster
            if keypair is None:
                keypair = Keypair.generate()
                replace_file(self._key_path, _encode_key(keypair))
            return keypair

    def new_identity(self) -> tuple[Keypair, Path | None]:
        """Make another key; return it, and where the one before is kept (0600).

        Raises:
            StateUnusable: A key can't be read or written; the one before is untouched.
        """
        keypair = Keypair.generate()
        with self._writing():
            return keypair, self._become(keypair, self._read_key())

    def restore(self, keypair: Keypair, *, replaces: bool) -> Path | None:
        """Become somebody that we were elsewhere; return where the key before is kept.

        Args:
            keypair: Theirs; if it is ours already, nothing happens.
            replaces: Also where there is another key.

        Raises:
            UsageError: There is another key, and it is not to be replaced.
            StateUnusable: A key can't be read or written; the one before is untouched.
        """
        with self._writing():
            before = self._read_key()
            if before is None or before.identity == keypair.identity:
                return None if before else self._become(keypair, None)
            if not replaces:
                raise UsageError(
                    f"There is another identity here ({before.identity.short})."
                    " To replace it, its key being kept: --force"
                )
            return self._become(keypair, before)

    def _become(self, keypair: Keypair, before: Keypair | None) -> Path | None:
        """Write a key, after the one before has a file of its own; return that."""
        kept = None
        if before is not None:
            kept = self.directory / f"identity-{before.identity.short}.key"
            replace_file(kept, _encode_key(before))
        replace_file(self._key_path, _encode_key(keypair))
        self._keypair = keypair
        return kept

    @property
    def port(self) -> int:
        """The remembered UDP port, drawn on first use.

        Raises:
            StateUnusable: It can't be read or written.
        """
        port = self._read_port()
        if port is not None:
            return port
        with self._writing():
            port = self._read_port()  # another process was faster
            if port is None:
                port = random.randint(REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST)
                self._write_port(port)
            return port

    def remember_port(self, port: int) -> None:
        """Keep `port` for the next run.

        Raises:
            StateUnusable: It can't be written.
        """
        with self._writing():
            self._write_port(port)

    def _read_port(self) -> int | None:
        """Return the port; None also for a damaged file: another one serves as well."""
        text = read_text(self._port_path).strip()
        is_number = text.isascii() and text.isdecimal() and len(text) <= len("65535")
        return int(text) if is_number and 0 < int(text) < 65536 else None

    def _write_port(self, port: int) -> None:
        replace_file(self._port_path, f"{port}\n".encode("ascii"))

    @property
    def preferred_relay(self) -> str | None:
        """The relay that was the nearest one, as the user named it; None: not known."""
        text = read_text(self._relay_path).strip()
        try:
            return str(HostPort.parse_relay(text))
        except ValueError:  # nothing there, or damaged: it is measured anew
            return None

    @preferred_relay.setter
    def preferred_relay(self, relay: str | None) -> None:
        """Keep the nearest relay. Raises StateUnusable."""
        with self._writing():
            replace_file(self._relay_path, f"{relay or ''}\n".encode())

    def claim_port(self) -> AbstractContextManager[bool]:
        """Yield whether the remembered port is ours, as long as the block runs.

        False: another process on this folder has it, take any other port.

        Raises:
            StateUnusable: The lock file can't be made.
        """
        return try_exclusive(self.directory / "port.lock")

    def policy(self, identity: Identity) -> Policy:
        """Return what the files say of an identity now. Raises as `policies`."""
        return self.policies()(identity)

    def policies(self) -> PolicyOf:
        """Return what the files say of everybody, as it is now.

        Raises:
            StateUnusable: A file can't be read, or has a damaged line.
        """
        contacts = {each.identity: each for each in self.contacts.all()}
        blocked = self.blocked.all()

        def policy(identity: Identity) -> Policy:
            contact, refused = contacts.get(identity), identity in blocked
            if contact is None:
                return Policy(refused=refused)
            return Policy(
                contact.name,
                verified=contact.verified,
                auto_answer=contact.auto_answer,
                always_relay=contact.always_relay,
                refused=refused,
            )

        return policy

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.directory)


class KnownRelays:
    """The files `known_relays` and `relay_tcp_ports`; fits `ports.RelayPins`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "known_relays"
        self._tcp_path = directory / "relay_tcp_ports"

    def all(self) -> dict[str, Identity]:
        """Return the identity of each relay ("host:port"), in the file's order.

        Raises:
            StateUnusable: The file can't be read; a damaged line counts, or a relay
                whose key is pinned would be trusted anew.
        """
        return dict(read_lines(self._path, _parse_relay_line))

    def pinned(self, relay: str) -> bytes | None:
        """Return the raw key pinned for `relay` ("host:port"), if any."""
        identity = self.all().get(_relay_name(relay))
        return None if identity is None else identity.key

    def pin(self, relay: str, key: bytes) -> None:
        """Remember the key of a relay met for the first time.

        Raises:
            KeyChanged: Another key is pinned.
            StateUnusable: The file can't be read or written.
        """
        name, identity = _relay_name(relay), Identity(key)
        with writing(self._directory):
            relays = self.all()
            if relays.get(name, identity) != identity:
                raise KeyChanged(
                    f"The relay {name} shows another key ({identity.short}) than before"
                    f" ({relays[name].short}). If its operator says that this is right:"
                    f" wzp id forget {name}"
                )
            if name not in relays:
                self._write(relays | {name: identity})

    def forget(self, relay: str) -> bool:
        """Drop the pin of `relay`; return whether there was one.

        Raises:
            StateUnusable: The file can't be read or written.
        """
        with writing(self._directory):
            relays = self.all()
            identity = relays.pop(_relay_name(relay), None)
            if identity is not None:
                self._write(relays)
        return identity is not None

    def tcp_port(self, relay: str) -> int | None:
        """Return the TCP port that `relay` has told, if it has.

        Raises:
            StateUnusable: The file can't be read, or has a damaged line.
        """
        return self._tcp_ports().get(_relay_name(relay))

    def note_tcp_port(self, relay: str, port: int) -> None:
        """Remember it.

        Raises:
            StateUnusable: The file can't be read or written.
        """
        if self.tcp_port(relay) == port:
            return
        with writing(self._directory):
            ports = self._tcp_ports() | {_relay_name(relay): port}
            lines = [f"{name} {number}" for name, number in ports.items()]
            write_lines(self._tcp_path, lines)

    def told(self, relay: HostPort) -> HostPort:
        """Return a relay as others need to know it: with its TCP port if it is not 443.

        Raises:
            StateUnusable: The file can't be read, or has a damaged line.
        """
        port = relay.tcp or self.tcp_port(relay.server)
        is_usual = port in (None, RELAY_TCP_DEFAULT_PORT)
        return relay if is_usual else relay._replace(tcp=port)

    def _tcp_ports(self) -> dict[str, int]:
        return dict(read_lines(self._tcp_path, _parse_port_line))

    def _write(self, relays: dict[str, Identity]) -> None:
        write_lines(self._path, [f"{name} {key}" for name, key in relays.items()])


def _relay_name(relay: str) -> str:
    name = relay.strip().lower()
    if not name or len(name.split()) > 1 or name.startswith("#"):
        raise UsageError(f"{relay!a} is no relay's address.")
    return name


def _parse_relay_line(line: str) -> tuple[str, Identity]:
    name, identity = line.split()
    return name, Identity.parse(identity)


def _parse_port_line(line: str) -> tuple[str, int]:
    name, port = line.split()
    return name, HostPort.parse(f"-:{port}").port


def _encode_key(keypair: Keypair) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return keypair.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _decode_key(path: Path, pem: bytes) -> Keypair:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return Keypair(key)
    raise StateUnusable(
        f"{path} holds no Ed25519 key in PEM. Put the right file back, or move it away"
        " to become somebody new."
    )
