"""What a relay tells its operator over HTTP: metrics for Prometheus, health, status.

    /metrics    Prometheus' text format
    /healthz    200 while the relay answers, 503 while it does not
    /readyz     200 while it takes clients, 503 while it stops
    /status     RelayFacts as JSON (`wzp relay status`)

The server has threads of its own, so that it can tell that the event loop is stuck. It
has no access control: bind it to loopback, or to a network of the operator's.
"""

import asyncio
import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import Any

import msgspec

from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import METRICS_ACCEPT_PAUSE_S, STATUS_ANSWER_S
from wzp_cli.errors import EnvironmentFault, RelayUnreachable
from wzp_cli.protocol.relay_facts import (
    FleetFacts,
    ForwarderFacts,
    Histogram,
    RelayFacts,
)

__all__ = ["ask_status", "exposition", "serve_metrics"]

ReadFacts = Callable[[], RelayFacts]
_TEXT = "text/plain; charset=utf-8"
_MAX_STATUS_BYTES = 1 << 20


@contextmanager
def serve_metrics(where: HostPort, read: ReadFacts) -> Iterator[HostPort]:
    """Answer at `where` (port 0: any) with what `read`, run in this loop, returns.

    Raises:
        EnvironmentFault: It can't be bound, or prometheus-client is not installed.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        raise EnvironmentFault("--metrics needs more: pip install 'wzp[metrics]'")
    loop = asyncio.get_running_loop()

    async def facts() -> RelayFacts:
        return read()

    def ask() -> RelayFacts:
        return asyncio.run_coroutine_threadsafe(facts(), loop).result(STATUS_ANSWER_S)

    server = _bound(where, ask)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield HostPort(where.host, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _bound(where: HostPort, ask: ReadFacts) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in where.host else AF_INET
        daemon_threads = True
        facts = staticmethod(ask)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print our own faults, and not that somebody has left."""
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(request, client_address)

        def get_request(self) -> Any:
            """Accept; where that can't be for want of files, don't spin."""
            try:
                return super().get_request()
            except OSError:
                time.sleep(METRICS_ACCEPT_PAUSE_S)
                raise

        def server_bind(self) -> None:
            TCPServer.server_bind(self)  # HTTPServer's asks DNS for our name

    try:
        return Server((where.host, where.port), _Request)
    except OSError as error:
        why = error.strerror or str(error)
        raise EnvironmentFault(f"can't serve metrics at {where}: {why}") from error


class _Request(BaseHTTPRequestHandler):
    server_version, sys_version = "wzp", ""
    timeout = 10.0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        answer = _ANSWERS.get(path)
        if answer is None:
            self._say(HTTPStatus.NOT_FOUND, _TEXT, b"see " + b" ".join(_PATHS) + b"\n")
            return
        try:
            facts = self.server.facts()  # type: ignore[attr-defined]
        except TimeoutError:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"does not answer\n")
            return
        self._say(*answer(facts))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep still: who asks is no event."""

    def _say(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Answer = tuple[HTTPStatus, str, bytes]


def _metrics(facts: RelayFacts) -> Answer:
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, exposition(facts)


def _healthy(facts: RelayFacts) -> Answer:
    return HTTPStatus.OK, _TEXT, f"{facts.state}\n".encode()


def _ready(facts: RelayFacts) -> Answer:
    serving = facts.state == "serving"
    status = HTTPStatus.OK if serving else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _TEXT, f"{facts.state}\n".encode()


def _status(facts: RelayFacts) -> Answer:
    return HTTPStatus.OK, "application/json", msgspec.json.encode(facts) + b"\n"


_ANSWERS: dict[str, Callable[[RelayFacts], Answer]] = {
    "/metrics": _metrics,
    "/healthz": _healthy,
    "/readyz": _ready,
    "/status": _status,
}
_PATHS = [path.encode() for path in _ANSWERS]


def exposition(facts: RelayFacts) -> bytes:
    """Return the facts, and this process's own, in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collector(facts))
    return generate_latest(registry)


class _Collector:
    def __init__(self, facts: RelayFacts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Any]:
        """Yield each family of metrics."""
        from prometheus_client.core import InfoMetricFamily

        facts = self._facts
        info = InfoMetricFamily("wzp_relay", "The program.")
        info.add_metric([], {"version": facts.version})
        yield info
        for name, value, help_ in _gauges(facts):
            yield _gauge(name, help_, value)
        for name, label, values, help_ in _counters(facts):
            yield _counter(name, help_, label, values)
        if facts.fleet is not None:
            yield from _fleet(facts.fleet)
        if facts.forwarders is not None:
            yield from _forwarders(facts.forwarders)
        yield _histogram(
            "wzp_relay_event_loop_lag_seconds",
            "How late the event loop wakes up whoever sleeps.",
            facts.loop_lag,
        )


def _gauges(facts: RelayFacts) -> Iterator[tuple[str, float, str]]:
    yield "wzp_relay_uptime_seconds", facts.uptime_s, "Since the start."
    draining = float(facts.state == "draining")
    yield "wzp_relay_draining", draining, "1 while it stops."
    yield "wzp_relay_links", facts.links, "Clients connected."
    yield "wzp_relay_registrations", facts.published, "Clients that can be called."
    yield "wzp_relay_channels", facts.channels, "Channels open."
    waiting = "Channels whose callee comes from another relay."
    yield "wzp_relay_reserved", facts.reserved, waiting
    yield "wzp_relay_half_open", facts.half_open, "Handshakes under way."
    yield "wzp_relay_tunnels", facts.tunnels, "WebSockets open."


def _counters(facts: RelayFacts) -> Iterator[tuple[str, str, dict[str, int], str]]:
    packets, size = {"": facts.forwarded_packets}, {"": facts.forwarded_bytes}
    yield "wzp_relay_forwarded_packets", "", packets, "Frames passed on."
    yield "wzp_relay_forwarded_bytes", "", size, "Bytes of these frames."
    why = "Frames not passed on, by reason."
    yield "wzp_relay_dropped_packets", "reason", facts.dropped, why
    lost = "Datagrams that this machine lost."
    yield "wzp_relay_socket_drops", "direction", facts.socket, lost
    yield "wzp_relay_entered", "result", facts.entered, "Clients, by answer."
    yield "wzp_relay_connects", "result", facts.connects, "Calls, by answer."
    became = "What became of Initials and handshakes."
    yield "wzp_relay_handshakes", "result", facts.handshakes, became
    closed = "Connections by TCP that were closed, by limit."
    yield "wzp_relay_tunnels_refused", "limit", facts.tunnels_refused, closed
    asked = "Credentials for a TURN server asked for, by outcome."
    yield "wzp_relay_turn_grants", "result", facts.turn_grants, asked


def _gauge(name: str, help_: str, value: float) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, help_, value=value)


def _fleet(fleet: FleetFacts) -> Iterator[Any]:
    yield _gauge("wzp_fleet_up", "1 while NATS answers.", fleet.up)
    yield _gauge("wzp_fleet_held", "Identities others find here.", fleet.held)
    asked = "Calls for which the other relays were asked, by outcome."
    yield _counter("wzp_fleet_asked", asked, "result", fleet.asked)
    answered = {"": fleet.answered}
    yield _counter("wzp_fleet_answered", "Their questions.", "", answered)
    joins = {"joined": fleet.joined, "refused": fleet.refused}
    yield _counter("wzp_fleet_joins", "Their clients that came.", "result", joins)


def _forwarders(forwarders: ForwarderFacts) -> Iterator[Any]:
    running, restarts = forwarders.running, {"": forwarders.restarts}
    yield _gauge("wzp_relay_forwarders", "Forwarders that run.", running)
    again = "Forwarders that were started again."
    yield _counter("wzp_relay_forwarder_restarts", again, "", restarts)
    spent = {str(number): each for number, each in enumerate(forwarders.cpu_s, 1)}
    yield _counter(
        "wzp_relay_forwarder_cpu_seconds", "CPU time of each.", "forwarder", spent
    )


def _counter(name: str, help_: str, label: str, values: Mapping[str, float]) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, help_, labels=[label] if label else [])
    for key, count in values.items():
        family.add_metric([key] if label else [], count)
    return family


def _histogram(name: str, help_: str, histogram: Histogram) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    ends = [*map(str, histogram.bounds_s), "+Inf"]
    buckets = list(zip(ends, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(
        name, help_, buckets=buckets, sum_value=histogram.sum_s
    )


def ask_status(where: HostPort, timeout_s: float) -> RelayFacts:
    """Return what the relay whose metrics are at `where` says of itself.

    Raises:
        RelayUnreachable: Nobody answers there, or something that is no relay.
    """
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(where.host, where.port, timeout=timeout_s)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body = answer.read(_MAX_STATUS_BYTES)
        if answer.status == HTTPStatus.OK:
            return msgspec.json.decode(body, type=RelayFacts)
        why = body.decode("utf-8", "replace").strip()[:80]
    except OSError as error:
        why = error.strerror or str(error)
    except (HTTPException, msgspec.MsgspecError, UnicodeDecodeError):
        why = "that is no wzp relay"
    finally:
        connection.close()
    raise RelayUnreachable(
        f"no status from {where}: {why}. Check that the relay runs with --metrics."
    )
