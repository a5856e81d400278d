import array
import asyncio

import pytest

from wzp_cli.adapters.sound_files.pace import NullSink, ToneSource
from wzp_cli.adapters.voice.gain import GainSink, GainSource, amplified, check_gain
from wzp_cli.errors import UsageError
from wzp_cli.ports import FrameSink, FrameSource
from wzp_cli.protocol.media.level import level


def pcm(*samples: int) -> bytes:
    return array.array("h", samples).tobytes()


def test_six_decibels_are_twice_as_loud() -> None:
    assert amplified(pcm(1000, -1000, 0), 6.0206) == pcm(2000, -2000, 0)
    assert amplified(pcm(1000, -1000, 0), -20) == pcm(100, -100, 0)


def test_what_would_be_too_loud_is_cut_off_and_never_wraps() -> None:
    assert amplified(pcm(20_000, -20_000, -32_768), 40) == pcm(32_767, -32_767, -32_767)


def test_a_source_and_a_sink_get_louder() -> None:
    class Kept(NullSink):
        def write(self, pcm: bytes) -> None:
            self.last = pcm

    async def scenario() -> None:
        source: FrameSource = GainSource(ToneSource(), 12)
        kept = Kept()
        sink: FrameSink = GainSink(kept, -6)
        frame = await source.read()
        assert frame is not None
        assert level(frame).peak_dbfs == pytest.approx(-18 + 12, abs=0.2)
        await sink.wanted()
        sink.write(frame)
        assert level(kept.last).peak_dbfs == pytest.approx(-18 + 6, abs=0.2)

    asyncio.run(scenario())


def test_the_end_of_a_source_stays_the_end() -> None:
    class Over:
        failed = None

        async def read(self) -> None:
            return None

    assert asyncio.run(GainSource(Over(), 6).read()) is None


@pytest.mark.parametrize("gain_db", [-60, 0, 40])
def test_gains_within_reason(gain_db: float) -> None:
    assert check_gain("--gain-in", gain_db) == gain_db


def test_gains_beyond_reason() -> None:
    with pytest.raises(UsageError, match=r"--gain-in 99: .* -60 to 40 dB"):
        check_gain("--gain-in", 99)
