"""The bus over a real nats-server."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from nats.aio.client import Client

from tests.support.nats_server import NatsServer, nats_server
from wzp_cli.adapters.nats_bus import BusWords, NatsBus, _gathered, open_bus
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.relay import FLEET_MAX_ANSWERS
from wzp_cli.errors import ConfigError, ConnectionLost, EnvironmentFault


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with nats_server() as running:
        yield running


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - nats-py tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def bus_at(server: NatsServer) -> AsyncIterator[NatsBus]:
    async with open_bus(BusWords([server.url])) as bus:
        await until(lambda: bus.up)
        yield bus


def says(word: bytes) -> Callable[[bytes], Awaitable[bytes]]:
    async def answer(question: bytes) -> bytes:
        return word + question

    return answer


def test_all_others_who_hold_a_subject_answer(server: NatsServer) -> None:
    async def scenario() -> None:
        async with bus_at(server) as one, bus_at(server) as two, bus_at(server) as me:
            await one.hold("wzp.x", says(b"one "))
            await two.hold("wzp.x", says(b"two "))
            await me.hold("wzp.x", says(b"me "))
            for bus in (one, two, me):
                await bus.settle()
            answers = await me.ask("wzp.x", b"?")
            assert sorted(answers) == [b"one ?", b"two ?"]
            await one.drop("wzp.x")
            await one.settle()
            assert await me.ask("wzp.x", b"?") == [b"two ?"]

    asyncio.run(scenario())


def test_nobody_is_told_at_once(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with bus_at(server) as bus, asyncio.timeout(60):
            assert await bus.ask("wzp.none", b"?") == []

    monkeypatch.setattr("wzp_cli.adapters.nats_bus.FLEET_ANSWER_S", 600.0)
    asyncio.run(scenario())  # and no time-out was waited for


def test_who_is_silent_is_not_nobody(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(question: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def scenario() -> None:
        async with bus_at(server) as one, bus_at(server) as me:
            await one.hold("wzp.x", never)
            await one.settle()
            with pytest.raises(ConnectionLost, match="silent"):
                await me.ask("wzp.x", b"?")

    monkeypatch.setattr("wzp_cli.adapters.nats_bus.FLEET_ANSWER_S", 0.1)
    asyncio.run(scenario())


def test_a_server_that_comes_back_is_told_all_again(server: NatsServer) -> None:
    async def scenario() -> None:
        async with bus_at(server) as one, bus_at(server) as me:
            await one.hold("wzp.x", says(b"x"))
            server.kill()
            await until(lambda: not (one.up or me.up))
            with pytest.raises(ConnectionLost, match="lost"):
                await me.ask("wzp.x", b"?")
            await one.hold("wzp.meanwhile", says(b"y"))
            await one.settle()
            server.start()
            await until(lambda: one.up and me.up)
            await one.settle()
            assert await me.ask("wzp.x", b"?") == [b"x?"]
            assert await me.ask("wzp.meanwhile", b"?") == [b"y?"]

    asyncio.run(scenario())


def test_a_server_that_comes_late_is_found(server: NatsServer) -> None:
    server.kill()

    async def scenario() -> None:
        async with open_bus(BusWords([server.url])) as one:
            await one.hold("wzp.x", says(b"x"))
            await one.settle()
            assert not one.up
            server.start()
            await until(lambda: one.up)
            async with bus_at(server) as me:
                await one.settle()
                assert await me.ask("wzp.x", b"?") == [b"x?"]

    asyncio.run(scenario())


def test_a_server_that_never_comes_can_be_left(server: NatsServer) -> None:
    server.kill()

    async def scenario() -> None:
        async with open_bus(BusWords([server.url])) as bus:
            await asyncio.sleep(0.1)
            assert not bus.up

    asyncio.run(scenario())


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for loopback that signs itself; return it and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"),
            *("-subj", "/CN=wzp-test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


def test_tls_and_a_password_out_of_files(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    creds, wrong = tmp_path / "creds", tmp_path / "wrong"
    creds.write_text("wzp:sesame\n")
    wrong.write_text("wzp:other\n")

    async def is_up(url: str, ca: Path | None, creds: Path | None) -> bool:
        async with open_bus(BusWords([url], ca, creds)) as bus:
            try:
                async with asyncio.timeout(3):
                    await until(lambda: bus.up)
            except TimeoutError:
                return False
            return True

    async def scenario(server: NatsServer) -> None:
        url = server.url.replace("nats://", "tls://")
        assert await is_up(url, cert, creds)
        for ca, shown in ((cert, wrong), (cert, None), (None, creds)):
            assert not await is_up(url, ca, shown)

    with nats_server(
        *("--tls", "--tlscert", str(cert), "--tlskey", str(key)),
        *("--user", "wzp", "--pass", "sesame"),
    ) as server:
        asyncio.run(scenario(server))


@pytest.mark.parametrize(
    "url", ["nats.example", "http://x", "nats://", "nats://wzp:sesame@nats.example"]
)
def test_a_url_that_is_none_or_has_a_secret(url: str) -> None:
    with pytest.raises(ConfigError, match="cluster-creds") as caught:
        BusWords([url]).options()
    assert "sesame" not in str(caught.value)


def test_files_that_are_not_right(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"\xff")
    for words, match in (
        (BusWords([], tmp_path / "none"), "cluster-ca .*No such file"),
        (BusWords([], tmp_path / "bad"), "cluster-ca"),
        (BusWords([], None, tmp_path / "none"), "cluster-creds .*No such file"),
        (BusWords([], None, tmp_path / "bad"), "cluster-creds .*UTF-8"),
    ):
        with pytest.raises(ConfigError, match=match):
            words.options()


def test_credentials_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "creds"
    words = BusWords(["nats://x"], None, file)
    file.write_text("sesame\n")
    assert words.options()["token"] == "sesame"
    file.write_text("wzp:se:same\n")
    options = words.options()
    assert (options["user"], options["password"]) == ("wzp", "se:same")
    file.write_text("-----BEGIN NATS USER JWT-----\nx\n")
    assert words.options()["user_credentials"] == str(file)


def test_the_configuration_that_we_ship_lets_relays_ask_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    creds, conf = tmp_path / "creds", tmp_path / "nats.conf"
    creds.write_text("wzp:sesame\n")
    text = (Path(__file__).parents[2] / "deploy" / "nats.conf").read_text("utf-8")
    text = text.replace("/etc/nats/cert.pem", str(cert))
    conf.write_text(text.replace("/etc/nats/key.pem", str(key)))
    monkeypatch.setenv("WZP_NATS_PASSWORD", "sesame")

    async def scenario(server: NatsServer) -> None:
        url = server.url.replace("nats://", "tls://")
        words = BusWords([url], cert, creds)
        async with open_bus(words) as one, open_bus(words) as two:
            await until(lambda: one.up and two.up)
            for name in ("wzp.1.fleet.target", "other"):
                await one.hold(name, says(b"x"))
            await one.settle()
            assert await two.ask("wzp.1.fleet.target", b"?") == [b"x?"]
            with pytest.raises(ConnectionLost):
                await two.ask("other", b"?")

    with nats_server("-c", str(conf)) as server:
        asyncio.run(scenario(server))


# --- Without a server -----------------------------------------------------------


class Endless:
    """A subscription on which somebody answers for ever."""

    def __init__(self) -> None:
        self.asked = 0

    async def next_msg(self, **_: object) -> SimpleNamespace:
        self.asked += 1
        await asyncio.sleep(0)
        return SimpleNamespace(headers=None, data=b"me, too")


def test_who_answers_for_ever_is_heard_for_a_while() -> None:
    async def scenario() -> list[bytes]:
        async with asyncio.timeout(5):
            return await _gathered(Endless())  # type: ignore[arg-type]

    assert len(asyncio.run(scenario())) == FLEET_MAX_ANSWERS


class SlowClient:
    """A connection whose way out is full: each subscription waits for its turn."""

    def __init__(self) -> None:
        self.subscribed: list[str] = []

    async def subscribe(self, subject: str, **_: object) -> "SlowClient":
        self.subscribed.append(subject)
        await asyncio.sleep(0)
        return self

    async def unsubscribe(self) -> None:
        return


def test_who_comes_and_goes_while_all_is_said_at_first() -> None:
    client = SlowClient()
    bus = NatsBus(client)  # type: ignore[arg-type]

    async def scenario() -> None:
        await bus.hold("a", says(b""))
        await bus.hold("b", says(b""))
        async with asyncio.TaskGroup() as group:
            group.create_task(bus.connected())
            await asyncio.sleep(0)
            await bus.drop("b")
            await bus.hold("c", says(b""))

    asyncio.run(scenario())
    assert client.subscribed == ["a", "c"]


def test_what_does_not_speak_nats_is_told() -> None:
    async def scenario() -> None:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"x" * 1_000_000)  # a line without an end
            writer.close()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            with pytest.raises(EnvironmentFault, match="does not speak NATS"):
                async with open_bus(BusWords([f"nats://127.0.0.1:{port}"])):
                    await asyncio.sleep(20)

    asyncio.run(scenario())


def test_who_is_told_to_stop_as_nats_answers_stops(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio.wait_for (before 3.12) forgets a cancellation at that very moment."""
    process_pong = Client._process_pong
    settling: list[asyncio.Task[None]] = []

    async def scenario() -> None:
        async with bus_at(server) as bus, task_group() as group:
            settling.append(group.create_task(bus.settle()))
            await asyncio.wait(settling)
            assert settling[0].cancelled()

    async def and_is_told_to_stop(self: Client) -> None:
        await process_pong(self)
        for task in settling:
            task.cancel()

    monkeypatch.setattr(Client, "_process_pong", and_is_told_to_stop)
    asyncio.run(scenario())
