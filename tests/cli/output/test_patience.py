import contextlib
import os
import threading

import pytest

from wzp_cli.cli.output import patience
from wzp_cli.cli.output.patience import PatientWriter
from wzp_cli.defaults.program import OUTPUT_QUEUE_LINES


def lines(count: int) -> list[bytes]:
    return [f"{number}\n".encode() for number in range(count)]


def test_all_lines_in_order() -> None:
    written: list[bytes] = []
    writer = PatientWriter(written.append)
    for line in lines(500):
        writer.put(line)
    writer.close()
    assert written == lines(500)
    assert writer.dropped == 0


def test_a_reader_that_sleeps_holds_nobody_up() -> None:
    awake = threading.Event()
    written: list[bytes] = []

    def write(line: bytes) -> None:
        assert awake.wait(30)
        written.append(line)

    writer = PatientWriter(write)
    count = 3 * OUTPUT_QUEUE_LINES
    for line in lines(count):
        writer.put(line)  # would never come back if it waited
    awake.set()
    writer.close()
    assert written[-1] == lines(count)[-1]
    assert len(written) + writer.dropped == count
    assert OUTPUT_QUEUE_LINES <= len(written) <= 1 + OUTPUT_QUEUE_LINES
    assert written == sorted(written, key=int)


def test_a_reader_that_never_wakes_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "OUTPUT_LAST_WAIT_S", 0.01)
    there, here = os.pipe()

    def write(line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(here, line)

    writer = PatientWriter(write)
    for _ in range(100):
        writer.put(bytes(4096))  # more than a pipe holds
    writer.close()
    os.close(there)
    writer._thread.join()
    os.close(here)


def test_whoever_asks_knows_whether_all_has_been_written() -> None:
    awake = threading.Event()
    written: list[bytes] = []

    def write(line: bytes) -> None:
        assert awake.wait(30)
        written.append(line)

    writer = PatientWriter(write)
    assert writer.is_idle
    writer.put(b"1")
    assert not writer.is_idle
    awake.set()
    writer.settle()
    assert writer.is_idle
    writer.put(b"2")
    writer.close()
    assert written == [b"1", b"2"]
