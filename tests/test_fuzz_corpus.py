"""What the fuzzer kept, played again without it; and some thousand changes of that.

`python3 dev.py fuzz NAME` finds more (docs/security.md, fuzzing).
"""

import importlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz._corpus import (
    MAX_TARGET_BYTES,
    inputs_of,
    longest,
    names,
    read,
    target,
)

ROOT = Path(__file__).parent.parent

_CHANGES = 300
_FEW_CHANGES = {
    **{"call": 10, "endpoint": 50, "relay": 50},
    **{"media": 50, "opus": 50, "upnp": 50, "wav": 50},
}
"""Where one input takes some milliseconds."""


@pytest.fixture(scope="module", autouse=True)
def _stages_are_left() -> Iterator[None]:
    """End the worlds that targets keep from one input to the next."""
    yield
    for name in names():
        stage = getattr(importlib.import_module(f"fuzz.{name}"), "_stage", None)
        if stage is not None and stage.cache_info().currsize:
            stage().close()
            stage.cache_clear()


@pytest.mark.parametrize("name", names())
def test_what_was_kept_breaks_nothing(name: str) -> None:
    one = target(name)
    for each in inputs_of(name):
        one(each)


@pytest.mark.parametrize("name", names())
def test_changes_of_it_break_nothing(name: str) -> None:
    """Always the same ones."""
    one, luck, inputs = target(name), random.Random(name), inputs_of(name)
    for _ in range(_FEW_CHANGES.get(name, _CHANGES)):
        one(_changed(luck, inputs)[: longest(name) or None])


def _changed(luck: random.Random, inputs: list[bytes]) -> bytes:
    """Return an input with some bytes exchanged, put in, cut out or doubled."""
    data = bytearray(luck.choice(inputs))
    for _ in range(luck.randint(1, 4)):
        at = luck.randint(0, len(data))
        match luck.randrange(4):
            case 0:
                data[at : at + 1] = bytes([luck.randrange(256)])
            case 1:
                data[at:at] = luck.randbytes(luck.randint(1, 8))
            case 2:
                del data[at : at + luck.randint(1, 8)]
            case 3:
                data[at:at] = luck.choice(inputs)[:64]
    return bytes(data)


@pytest.mark.parametrize("name", ["endpoint", "relay"])
def test_a_dial_in_a_script_opens_a_handshake(name: str) -> None:
    """Where an Initial is dropped unread, a million scripts would not tell."""
    stage = importlib.import_module(f"fuzz.{name}")._stage()
    watched = stage.cast.traffic._endpoint
    before = watched.half_open
    target(name)(bytes([6]) + bytes(16) + bytes([1, 0, 0, 1]))
    assert watched.half_open == before + 1


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    folder = ROOT / "fuzz" / "corpus"
    files = {path.stem: path.stat().st_size for path in folder.glob("*")}
    assert set(files) == set(names())
    assert max(files.values()) <= MAX_TARGET_BYTES
    assert sum(files.values()) < 300 * 1024
    for name in names():
        assert all(len(each) <= (longest(name) or 4096) for each in read(name)), name
