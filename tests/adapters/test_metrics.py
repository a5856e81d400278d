import asyncio
import errno
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection

import msgspec
import pytest

from wzp_cli.adapters import metrics
from wzp_cli.adapters.metrics import ask_status, exposition, serve_metrics
from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import METRICS_ACCEPT_PAUSE_S
from wzp_cli.errors import EnvironmentFault, RelayUnreachable
from wzp_cli.protocol.relay_facts import (
    FleetFacts,
    ForwarderFacts,
    Histogram,
    RelayFacts,
)

ANYWHERE = HostPort("127.0.0.1", 0)
FACTS = RelayFacts(
    version="1",
    id="wzp1x",
    state="serving",
    uptime_s=1.5,
    links=2,
    published=1,
    channels=3,
    half_open=0,
    forwarded_packets=4,
    forwarded_bytes=5,
    dropped={"bit_rate": 6},
    socket={"received": 7, "sent": 8},
    entered={"welcome": 9},
    connects={"connected": 10},
    handshakes={"ok": 11},
    loop_lag=Histogram(bounds_s=(0.1, 1.0), counts=[2, 1, 1], sum_s=3.5),
    reserved=12,
    tunnels=18,
    tunnels_refused={"source": 19},
    turn_grants={"granted": 20},
    forwarders=ForwarderFacts(running=21, restarts=22, cpu_s=[23.5, 24.5]),
    fleet=FleetFacts(
        up=True, held=13, asked={"found": 14}, answered=15, joined=16, refused=17
    ),
)


def get(where: HostPort, path: str) -> tuple[int, str]:
    connection = HTTPConnection(where.host, where.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body = answer.status, answer.read().decode()
    connection.close()
    return status, body


@asynccontextmanager
async def served(
    facts: RelayFacts,
) -> AsyncIterator[Callable[[str], Awaitable[tuple[int, str]]]]:
    with serve_metrics(ANYWHERE, lambda: facts) as where:
        yield lambda path: asyncio.to_thread(get, where, path)


def test_each_page_says_its_part() -> None:
    async def scenario() -> None:
        async with served(FACTS) as page:
            assert await page("/healthz") == (200, "serving\n")
            assert await page("/readyz") == (200, "serving\n")
            status, text = await page("/metrics?x=1")
            assert status == 200
            assert "wzp_relay_links 2.0\n" in text
            status, text = await page("/status")
            assert msgspec.json.decode(text, type=RelayFacts) == FACTS
            status, text = await page("/")
            assert status == 404
            assert "/metrics" in text

    asyncio.run(scenario())


def test_who_stops_is_healthy_and_not_ready() -> None:
    async def scenario() -> None:
        async with served(msgspec.structs.replace(FACTS, state="draining")) as page:
            assert await page("/healthz") == (200, "draining\n")
            assert await page("/readyz") == (503, "draining\n")

    asyncio.run(scenario())


def test_a_loop_that_is_stuck_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "STATUS_ANSWER_S", 0.05)

    async def stuck() -> int:
        with serve_metrics(ANYWHERE, lambda: FACTS) as where:
            loop = asyncio.get_running_loop()
            answer = loop.run_in_executor(None, get, where, "/healthz")
            time.sleep(0.5)  # noqa: ASYNC251 - that is what being stuck is
            return (await answer)[0]

    assert asyncio.run(stuck()) == 503


def test_the_text_has_all_there_is_to_know() -> None:
    text = exposition(FACTS).decode()
    for line in (
        'wzp_relay_info{version="1"} 1.0',
        "wzp_relay_uptime_seconds 1.5",
        "wzp_relay_draining 0.0",
        "wzp_relay_registrations 1.0",
        "wzp_relay_channels 3.0",
        "wzp_relay_forwarded_packets_total 4.0",
        "wzp_relay_forwarded_bytes_total 5.0",
        'wzp_relay_dropped_packets_total{reason="bit_rate"} 6.0',
        'wzp_relay_socket_drops_total{direction="received"} 7.0',
        'wzp_relay_entered_total{result="welcome"} 9.0',
        'wzp_relay_connects_total{result="connected"} 10.0',
        'wzp_relay_handshakes_total{result="ok"} 11.0',
        'wzp_relay_event_loop_lag_seconds_bucket{le="0.1"} 2.0',
        'wzp_relay_event_loop_lag_seconds_bucket{le="+Inf"} 4.0',
        "wzp_relay_event_loop_lag_seconds_sum 3.5",
        "wzp_relay_reserved 12.0",
        "wzp_relay_tunnels 18.0",
        'wzp_relay_tunnels_refused_total{limit="source"} 19.0',
        'wzp_relay_turn_grants_total{result="granted"} 20.0',
        "wzp_fleet_up 1.0",
        "wzp_fleet_held 13.0",
        'wzp_fleet_asked_total{result="found"} 14.0',
        "wzp_fleet_answered_total 15.0",
        'wzp_fleet_joins_total{result="joined"} 16.0',
        'wzp_fleet_joins_total{result="refused"} 17.0',
        "wzp_relay_forwarders 21.0",
        "wzp_relay_forwarder_restarts_total 22.0",
        'wzp_relay_forwarder_cpu_seconds_total{forwarder="2"} 24.5',
        "process_cpu_seconds_total",
    ):
        assert f"\n{line}" in text, line


def test_a_port_in_use_is_told() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            where = HostPort("127.0.0.1", other.getsockname()[1])
            with (
                pytest.raises(EnvironmentFault, match=f"at {where}: Address already"),
                serve_metrics(where, lambda: FACTS),
            ):
                pass

    asyncio.run(scenario())


def test_asking_how_a_relay_is() -> None:
    async def scenario() -> None:
        with serve_metrics(ANYWHERE, lambda: FACTS) as where:
            assert await asyncio.to_thread(ask_status, where, 10.0) == FACTS
        with pytest.raises(RelayUnreachable, match=r"refused\. Check"):
            ask_status(where, 10.0)

    asyncio.run(scenario())


def test_asking_something_that_is_no_relay() -> None:
    async def scenario() -> None:
        async def other(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"SSH-2.0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
            where = HostPort(*server.sockets[0].getsockname()[:2])
            with pytest.raises(RelayUnreachable, match="no wzp relay"):
                await asyncio.to_thread(ask_status, where, 10.0)

    asyncio.run(scenario())


def test_who_leaves_in_the_middle_is_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def scenario() -> None:
        with serve_metrics(ANYWHERE, lambda: FACTS) as where:
            for said in (b"", b"GET /status HTTP/1.1\r\n\r\n"):
                with socket.create_connection((where.host, where.port)) as client:
                    client.sendall(said)
                    reset = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert capfd.readouterr().err == ""


def test_a_connection_that_can_not_be_taken_does_not_make_it_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel goes on saying that somebody is there."""
    pauses: list[float] = []
    tried = threading.Event()

    def fails(_: object) -> None:
        if len(pauses) >= 2:
            tried.set()
        raise OSError(errno.EMFILE, "Too many open files")

    async def scenario() -> None:
        with serve_metrics(ANYWHERE, lambda: FACTS) as where:
            monkeypatch.setattr("socketserver.TCPServer.get_request", fails)
            monkeypatch.setattr("wzp_cli.adapters.metrics.time.sleep", pauses.append)
            with socket.create_connection((where.host, where.port)):
                await asyncio.to_thread(tried.wait, 10)

    asyncio.run(scenario())
    assert set(pauses) == {METRICS_ACCEPT_PAUSE_S}
