import asyncio
from collections.abc import Iterator

import pytest

from wzp_cli.adapters.sound_files.paced import FileSource, Opened, cut_into_frames
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.errors import SoundError


def source(rate_hz: int, pieces: Iterator[bytes], closed: list[str]) -> FileSource:
    file = Opened(rate_hz, pieces, lambda: closed.append("closed"))
    return FileSource(file, (OSError,), lambda reason: f"no sound: {reason}")


def breaking(after: int) -> Iterator[bytes]:
    yield from [b"x" * MEDIA_FRAME_BYTES] * after
    raise OSError("gone")


def test_pieces_of_any_length_become_frames() -> None:
    frames = list(cut_into_frames(iter([b"a" * 1000, b"b" * 3000])))
    assert [len(frame) for frame in frames] == [MEDIA_FRAME_BYTES] * 3
    assert b"".join(frames).rstrip(b"\0") == b"a" * 1000 + b"b" * 3000


@pytest.mark.parametrize(
    ("rate_hz", "pieces", "said"),
    [(10, iter([]), "a rate of 10 Hz"), (48_000, breaking(0), "gone")],
)
def test_what_can_not_be_read_is_closed(
    rate_hz: int, pieces: Iterator[bytes], said: str
) -> None:
    closed: list[str] = []
    with pytest.raises(SoundError, match=f"no sound: {said}"):
        source(rate_hz, pieces, closed)
    assert closed == ["closed"]


def test_it_may_break_later() -> None:
    async def play() -> None:
        file = source(48_000, breaking(1), [])
        assert await file.read() == b"x" * MEDIA_FRAME_BYTES
        with pytest.raises(SoundError, match="gone"):
            await file.read()

    asyncio.run(play())
