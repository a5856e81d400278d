"""`wzp relay`: run a relay on this machine, and ask one how it is."""

import errno
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wzp_cli import __version__
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import DrainOption
from wzp_cli.cli.running.signals import on_signal
from wzp_cli.defaults.relay import RELAY_EXTRA_PORTS, STATUS_ANSWER_S
from wzp_cli.errors import RelayUnreachable, WzpError
from wzp_cli.events import Event, Hello, RelayReady, RelayStats, Report, Warned
from wzp_cli.protocol.relay_facts import RelayFacts

if TYPE_CHECKING:
    from wzp_cli.adapters.disk.state import State
    from wzp_cli.cli.relay.words import RelayWords
    from wzp_cli.endpoint.stun.reflector import Reflector
    from wzp_cli.endpoint.tcp.listener import TunnelListener
    from wzp_cli.ports import ControlChannel
    from wzp_cli.protocol.names.identity import Identity, Keypair
    from wzp_cli.relay.fleet import Fleet
    from wzp_cli.relay.server import Relay

__all__ = ["app", "relay", "status"]

app = command_app()

ListenOption = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Where to serve ([::]:4433)."),
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="[HOST:]PORT", help="Metrics and health over HTTP there."
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="PATH", help="The key; a fleet shares one."),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="PATH", help="Tokens that admit clients."),
]
AllowFileOption = Annotated[
    Path | None,
    typer.Option("--allow-file", metavar="PATH", help="Identities to admit."),
]
BlockFileOption = Annotated[
    Path | None,
    typer.Option("--block-file", metavar="PATH", help="Identities to refuse."),
]
ForwardersOption = Annotated[
    int | None,
    typer.Option(
        "--forwarders", metavar="COUNT", min=0, max=64, help="Processes that forward."
    ),
]
ClusterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cluster",
        metavar="nats://HOST",
        help="The fleet's NATS; may be given again.",
    ),
]
ClusterCaOption = Annotated[
    Path | None,
    typer.Option("--cluster-ca", metavar="PATH", help="Who signs NATS' certificate."),
]
ClusterCredsOption = Annotated[
    Path | None,
    typer.Option("--cluster-creds", metavar="PATH", help="What NATS wants to see."),
]
AdvertiseOption = Annotated[
    list[str] | None,
    typer.Option(
        "--advertise", metavar="IP:PORT", help="Where others of the fleet send clients."
    ),
]
TcpOption = Annotated[
    str | None,
    typer.Option(
        "--tcp", metavar="HOST:PORT", help="Serve networks that block UDP ([::]:443)."
    ),
]
TlsCertOption = Annotated[
    Path | None,
    typer.Option("--tls-cert", metavar="PATH", help="Certificate chain of --tcp, PEM."),
]
TlsKeyOption = Annotated[
    Path | None,
    typer.Option("--tls-key", metavar="PATH", help="Its key, PEM, not encrypted."),
]

TurnOption = Annotated[
    str | None,
    typer.Option("--turn", metavar="HOST[:PORT]", help="TURN server for clients."),
]
TurnSecretFileOption = Annotated[
    Path | None,
    typer.Option(
        "--turn-secret-file", metavar="PATH", help="The secret we share with it."
    ),
]
TurnTcpOption = Annotated[
    int | None,
    typer.Option(
        "--turn-tcp", metavar="PORT", min=1, max=65535, help="Where it speaks TCP."
    ),
]
TurnTlsOption = Annotated[
    int | None,
    typer.Option(
        "--turn-tls", metavar="PORT", min=1, max=65535, help="Where it speaks TLS."
    ),
]


@command(app, "relay", stream=True, is_group=True)
async def relay(
    session: Session,
    listen: ListenOption = None,
    key_file: KeyFileOption = None,
    metrics: MetricsOption = None,
    token_file: TokenFileOption = None,
    allow_file: AllowFileOption = None,
    block_file: BlockFileOption = None,
    drain: DrainOption = None,
    forwarders: ForwardersOption = None,
    cluster: ClusterOption = None,
    cluster_ca: ClusterCaOption = None,
    cluster_creds: ClusterCredsOption = None,
    advertise: AdvertiseOption = None,
    tcp: TcpOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    turn: TurnOption = None,
    turn_secret_file: TurnSecretFileOption = None,
    turn_tcp: TurnTcpOption = None,
    turn_tls: TurnTlsOption = None,
) -> None:
    """Serve as relay: who is online, at which address, and a way between them."""
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.relay.port import open_port
    from wzp_cli.cli.relay.tcp import tunnel_listener
    from wzp_cli.cli.relay.words import RelayWords, serving_address
    from wzp_cli.endpoint.factory import Bind
    from wzp_cli.relay.server import Relay

    said = RelayWords(
        listen=listen,
        key_file=key_file,
        metrics=metrics,
        token_file=token_file,
        allow_file=allow_file,
        block_file=block_file,
        drain=drain,
        forwarders=forwarders,
        cluster=cluster,
        cluster_ca=cluster_ca,
        cluster_creds=cluster_creds,
        advertise=advertise,
        tcp=tcp,
        tls_cert=tls_cert,
        tls_key=tls_key,
        turn=turn,
        turn_secret_file=turn_secret_file,
        turn_tcp=turn_tcp,
        turn_tls=turn_tls,
    )
    words = said.over(session.settings.said)
    where = serving_address(words.listen, session.settings)
    words.tcp_address()  # so that a wrong one is told before anything is opened
    settings = words.settings()
    keypair = _keypair(own_state(session), words.key_file)
    report = _also_logged(session.report)
    report(Hello(id=str(keypair.identity), version=__version__))
    bind = Bind(where.port, required=True, host=where.host, multihomed=True)
    async with (
        open_port(keypair, bind, words.forwarders, report) as (endpoint, helpers),
        tunnel_listener(endpoint, words) as listener,
    ):
        port = endpoint.local.port
        tcp_port = None if listener is None else listener.port
        with _reflectors(session, where, port) as reflectors:
            addresses = _addresses(where, port)
            async with _fleet(words, keypair.identity, addresses) as fleet:
                server = Relay(
                    *(endpoint, reflectors, settings, report, fleet, tcp_port),
                    forwarders=helpers,
                )

                def reload() -> None:
                    _reload(session, said, server, listener)

                async with _answering(own_state(session), server):
                    with (
                        _metrics(words.metrics, server) as answers_at,
                        on_signal("SIGHUP", reload),
                        on_signal("SIGTERM", lambda: _drain(words, server), once=True),
                    ):
                        report(
                            RelayReady(
                                id=str(keypair.identity),
                                port=port,
                                addresses=addresses,
                                ports=[each.port for each in reflectors],
                                metrics=None if answers_at is None else str(answers_at),
                                tcp_port=tcp_port,
                            )
                        )
                        await server.run()


def _keypair(state: "State", key_file: Path | None) -> "Keypair":
    """Return the relay's key: the file's, or one of its own in the state directory.

    The relay and a client on one machine are two identities.
    """
    from wzp_cli.adapters.disk.state import read_key_file

    if key_file is not None:
        return read_key_file(key_file)
    return _relay_state(state).keypair


def _relay_state(state: "State") -> "State":
    from wzp_cli.adapters.disk.state import open_state

    return open_state(state.directory / "relay")


def _also_logged(report: Report) -> Report:
    """Have what happens in the log, too; the statistics have /metrics."""
    import msgspec

    log = logging.getLogger("wzp.relay")

    def both(event: Event) -> None:
        report(event)
        if not isinstance(event, RelayStats):
            fields = msgspec.to_builtins(event)
            log.info("%s", fields["event"], extra={"fields": fields})

    return both


def _reload(
    session: Session,
    said: "RelayWords",
    server: "Relay",
    listener: "TunnelListener | None",
) -> None:
    """Read configuration, lists, certificate again; if one is wrong, all stays."""
    from wzp_cli.cli.relay.tcp import certificate

    assert session.reread is not None
    try:
        words = said.over(session.reread().said)
        settings = words.settings()
        if listener is not None:
            listener.show(certificate(words))
    except WzpError as error:
        server.report(Warned(code="reload", message=f"nothing was reread: {error}"))
    else:
        server.reload(settings)


def _drain(words: "RelayWords", server: "Relay") -> None:
    assert words.drain is not None
    server.drain(words.drain)


@asynccontextmanager
async def _fleet(
    words: "RelayWords", identity: "Identity", addresses: list[str]
) -> AsyncIterator["Fleet | None"]:
    """Yield what this relay has to do with others; None: nothing."""
    from wzp_cli.adapters.nats_bus import open_bus
    from wzp_cli.relay.fleet import Fleet

    bus_words = words.bus()
    if bus_words is None:
        yield None
        return
    met_at = words.met_at(addresses)
    async with open_bus(bus_words) as bus:
        yield Fleet(bus, identity, met_at)


@asynccontextmanager
async def _answering(state: "State", server: "Relay") -> AsyncIterator[None]:
    """Answer `wzp relay status` of the same user on the same state directory."""
    from wzp_cli.adapters.control_socket import open_control, transport
    from wzp_cli.protocol.messages.control import AskRelay
    from wzp_cli.services.control import serve

    async def facts(request: AskRelay, report: Report) -> RelayFacts:
        return server.facts()

    async def converse(channel: "ControlChannel") -> None:
        await serve(channel, {AskRelay: facts})

    async with open_control(transport(_relay_state(state).directory), converse):
        yield


@contextmanager
def _metrics(said: str | None, server: "Relay") -> Iterator[HostPort | None]:
    from wzp_cli.adapters.metrics import serve_metrics
    from wzp_cli.cli.relay.words import metrics_address

    where = None if said is None else metrics_address(said)
    serving = nullcontext(None) if where is None else serve_metrics(where, server.facts)
    with serving as answers_at:
        yield answers_at


@contextmanager
def _reflectors(
    session: Session, where: HostPort, port: int
) -> Iterator[list["Reflector"]]:
    """Open the extra ports; a relay with fewer of them still serves."""
    from wzp_cli.endpoint.stun.reflector import open_reflector

    with ExitStack() as stack:
        opened = []
        for number in range(port + 1, port + 1 + RELAY_EXTRA_PORTS):
            try:
                reflector = open_reflector(number if where.port else 0, where.host)
            except OSError as error:
                why = "in use" if error.errno == errno.EADDRINUSE else error.strerror
                message = f"extra UDP port {number}: {why}; clients see less of NATs"
                session.report(Warned(code="extra_port", message=message))
                continue
            stack.callback(reflector.close)
            opened.append(reflector)
        yield opened


def _addresses(where: HostPort, port: int) -> list[str]:
    from wzp_cli.cli.compose import find_interfaces

    hosts = [where.host] if where.host else [each.host for each in find_interfaces()]
    return [str(HostPort(host, port)) for host in hosts]


@command(app, "relay status", result=RelayFacts)
async def status(session: Session, metrics: MetricsOption = None) -> Outcome:
    """Ask a running relay how it is."""
    from wzp_cli.adapters.metrics import ask_status
    from wzp_cli.cli.relay.words import metrics_address

    said = metrics or session.settings.said.metrics
    timeout_s = session.settings.timeout_s or STATUS_ANSWER_S + 1
    if said is not None:
        facts = ask_status(metrics_address(said), timeout_s)
    else:
        facts = await _running_here(session, timeout_s)
    return Outcome(facts, _lines(facts))


async def _running_here(session: Session, timeout_s: float) -> RelayFacts:
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.control.asking import asked_running
    from wzp_cli.protocol.messages.control import AskRelay

    facts = await asked_running(
        _relay_state(own_state(session)),
        AskRelay(),
        RelayFacts,
        session.report,
        patience_s=timeout_s,
    )
    if facts is None:
        raise RelayUnreachable(
            "no relay runs on this state directory. Name it with --state-dir, or ask"
            " where it has its metrics: --metrics [HOST:]PORT."
        )
    return facts


def _lines(facts: RelayFacts) -> str:
    """Return what a person reads."""
    dropped = {name: count for name, count in facts.dropped.items() if count}
    refused = sum(facts.connects.values()) - facts.connects.get("connected", 0)
    rows = {
        "relay": f"{facts.id}, wzp {facts.version}",
        "state": f"{facts.state}, for {facts.uptime_s:.0f} s",
        "clients": f"{facts.links}, of them ready for calls: {facts.published}",
        "calls": f"{facts.connects.get('connected', 0)} connected, {refused} refused",
        "channels": f"{facts.channels} open",
        "passed on": f"{facts.forwarded_packets} packets,"
        f" {facts.forwarded_bytes / 1e6:.1f} MB",
        "dropped": ", ".join(f"{n} {why}" for why, n in dropped.items()) or "nothing",
        "handshakes": f"{facts.handshakes.get('ok', 0)} complete,"
        f" {facts.handshakes.get('failed', 0)} failed, {facts.half_open} under way",
    }
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name + ':':{width}}{text}" for name, text in rows.items())
