"""What `wzp relay` is told, by its options or by the configuration file."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wzp_cli.adapters.disk.config import Config
from wzp_cli.adapters.disk.relay_lists import (
    read_identities,
    read_token,
    read_tokens,
)
from wzp_cli.adapters.nats_bus import BusWords
from wzp_cli.address import Address, HostPort
from wzp_cli.cli.options import parse_duration
from wzp_cli.cli.settings import Settings
from wzp_cli.defaults.endpoint import STUN_DEFAULT_PORT
from wzp_cli.defaults.relay import (
    RELAY_DEFAULT_PORT,
    RELAY_DRAIN_S,
    RELAY_TCP_DEFAULT_PORT,
)
from wzp_cli.errors import ConfigError, UsageError
from wzp_cli.relay.access import AccessRules, token_digest
from wzp_cli.relay.server import RelaySettings
from wzp_cli.relay.turn import TurnService

__all__ = ["RelayWords", "metrics_address", "serving_address"]


_MOST_ADDRESSES = 4  # `summoned` has room for so many


@dataclass(frozen=True, kw_only=True)
class RelayWords:
    """The options of `wzp relay` as they were said; None where they were not."""

    listen: str | None = None
    key_file: Path | None = None
    metrics: str | None = None
    token_file: Path | None = None
    allow_file: Path | None = None
    block_file: Path | None = None
    drain: float | None = None
    forwarders: int | None = None
    cluster: Sequence[str] | None = None
    cluster_ca: Path | None = None
    cluster_creds: Path | None = None
    advertise: Sequence[str] | None = None
    tcp: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    turn: str | None = None
    turn_secret_file: Path | None = None
    turn_tcp: int | None = None
    turn_tls: int | None = None

    def over(self, said: Config) -> "RelayWords":
        """Return these, and the file's (and variables') where nothing was said."""
        return RelayWords(
            listen=self.listen or said.listen,
            key_file=self.key_file or _path(said.key_file),
            metrics=self.metrics or said.metrics,
            token_file=self.token_file or _path(said.token_file),
            allow_file=self.allow_file or _path(said.allow_file),
            block_file=self.block_file or _path(said.block_file),
            drain=self.drain or _drain_s(said),
            forwarders=(
                said.forwarders if self.forwarders is None else self.forwarders
            ),
            cluster=self.cluster or said.clusters,
            cluster_ca=self.cluster_ca or _path(said.cluster_ca),
            cluster_creds=self.cluster_creds or _path(said.cluster_creds),
            advertise=self.advertise or said.advertised,
            tcp=self.tcp or said.tcp,
            tls_cert=self.tls_cert or _path(said.tls_cert),
            tls_key=self.tls_key or _path(said.tls_key),
            turn=self.turn or said.turn,
            turn_secret_file=self.turn_secret_file or _path(said.turn_secret_file),
            turn_tcp=self.turn_tcp or said.turn_tcp,
            turn_tls=self.turn_tls or said.turn_tls,
        )

    def bus(self) -> BusWords | None:
        """Return how the fleet's NATS is reached; None: this is a single relay."""
        if not self.cluster:
            return None
        return BusWords(self.cluster, self.cluster_ca, self.cluster_creds)

    def met_at(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Return where clients of other relays find this one.

        Args:
            addresses: This machine's own, with the port.

        Raises:
            UsageError: There is none, or --advertise names no address.
        """
        for text in self.advertise or ():
            try:
                Address.parse(text)
            except ValueError as error:
                raise UsageError(
                    f"--advertise {text}: write IP:PORT, in numbers"
                ) from error
        met_at = tuple(self.advertise or addresses)[:_MOST_ADDRESSES]
        if not met_at:
            raise UsageError(
                "this machine has no address of its own: say where other relays' "
                "clients find it, with --advertise IP:PORT"
            )
        return met_at

    def settings(self) -> RelaySettings:
        """Read the lists, and the secret of the TURN servers.

        Raises:
            ConfigError: One can't be read, or is not right; names it and the line.
            UsageError: --turn is no server, or has no secret.
        """
        tokens = None
        if self.token_file is not None:
            tokens = frozenset(map(token_digest, read_tokens(self.token_file)))
        allowed = None if self.allow_file is None else read_identities(self.allow_file)
        blocked = (
            frozenset() if self.block_file is None else read_identities(self.block_file)
        )
        access = AccessRules(tokens, allowed, blocked)
        return RelaySettings(access, self._turn_service())

    def _turn_service(self) -> TurnService | None:
        if (self.turn is None) != (self.turn_secret_file is None):
            raise UsageError("--turn and --turn-secret-file go together")
        if self.turn is None or self.turn_secret_file is None:
            if self.turn_tcp or self.turn_tls:
                raise UsageError("--turn-tcp and --turn-tls are ports of --turn")
            return None
        server = self.turn.removeprefix("turn:")
        try:
            HostPort.parse(server, default_port=STUN_DEFAULT_PORT)
        except ValueError as error:
            raise UsageError(f"--turn {self.turn}: {error}") from error
        secret = read_token(self.turn_secret_file)
        ports = (self.turn_tcp or 0, self.turn_tls or 0)
        return TurnService(server, secret, _unix_now, *ports)

    def tcp_address(self) -> HostPort | None:
        """Return where to take WebSockets ("" every host), if anywhere.

        Raises:
            UsageError: It is no address, or half of a certificate was named.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("--tls-cert and --tls-key go together")
        if self.tcp is None and self.tls_cert is not None:
            raise UsageError("--tls-cert and --tls-key are for --tcp: say that, too")
        if self.tcp is None:
            return None
        host, port, _ = _bindable("--tcp", self.tcp, RELAY_TCP_DEFAULT_PORT)
        return HostPort("" if host in ("::", "*") else host, port)


def _unix_now() -> float:
    return datetime.now(UTC).timestamp()


def _path(said: str | None) -> Path | None:
    return None if said is None else Path(said).expanduser()


def _drain_s(said: Config) -> float:
    try:
        return RELAY_DRAIN_S if said.drain is None else parse_duration(said.drain)
    except ValueError as error:
        raise ConfigError(f"drain: {error}") from error


def serving_address(listen: str | None, settings: Settings) -> HostPort:
    """Return what to bind; --port counts more than the port of --listen.

    Raises:
        UsageError: It is no address, or a name.
    """
    host, port, _ = _bindable("--listen", listen or f"[::]:{RELAY_DEFAULT_PORT}")
    if settings.port is not None:
        port = settings.port
    return HostPort("" if host in ("::", "*") else host, port)


def metrics_address(text: str) -> HostPort:
    """Return where to answer the operator: HOST:PORT, or a port of loopback alone.

    Raises:
        UsageError: It is neither.
    """
    if text.isdecimal():
        text = f"127.0.0.1:{text}"
    host, port, _ = _bindable("--metrics", text, default_port=None)
    return HostPort("0.0.0.0" if host == "*" else host, port)


def _bindable(
    option: str, text: str, default_port: int | None = RELAY_DEFAULT_PORT
) -> HostPort:
    any_port = text.endswith(":0")
    try:
        where = HostPort.parse(
            text.replace(":0", ":65535") if any_port else text,
            default_port=default_port,
        )
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from error
    if where.host != "*" and not _is_numeric(where.host):
        raise UsageError(f"{option} {text}: write the address in numbers")
    return where._replace(port=0) if any_port else where


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
