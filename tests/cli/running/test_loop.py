import asyncio
import errno
import logging
import os
import resource
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from wzp_cli.cli.running.loop import CommandLoop


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=CommandLoop) as runner:
        runner.run(work)


def test_names_are_looked_up() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("127.0.0.1", 7, type=socket.SOCK_DGRAM)
        assert [entry[4] for entry in found] == [("127.0.0.1", 7)]
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("127.0.0.1.1", 7, flags=socket.AI_NUMERICHOST)

    run(scenario())


def test_nobody_waits_for_a_name_server_that_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over, asked = threading.Event(), threading.Event()

    def silent(*_: object) -> None:
        asked.set()
        over.wait()
        raise socket.gaierror

    monkeypatch.setattr("socket.getaddrinfo", silent)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.get_running_loop().getaddrinfo("name", 7)

    run(scenario())  # and its loop is closed
    assert asked.is_set()
    (left,) = (each for each in threading.enumerate() if each.name == "wzp-names")
    over.set()
    left.join(10)
    assert not left.is_alive()


def test_that_nothing_can_be_accepted_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(tmp_path / "socket")

    async def scenario() -> None:
        server = await asyncio.start_unix_server(lambda *_: None, path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            files = [os.open(os.devnull, os.O_RDONLY)]
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files[0] + 1, before[1]))
                for _ in range(10):  # ready at the first turn, and at all others
                    await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                os.close(files[0])
        server.close()

    with caplog.at_level(logging.WARNING):
        run(scenario())
    (record,) = caplog.records
    assert record.name == "wzp.loop"
    assert record.getMessage().endswith(os.strerror(errno.EMFILE))


def test_what_else_goes_wrong_is_told_as_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "look"})

    run(scenario())
    assert [record.name for record in caplog.records] == ["asyncio"]
