import asyncio
import os
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from wzp_cli.adapters.sound_files.wav import Resampler, WavSink, WavSource
from wzp_cli.errors import SoundError
from wzp_cli.ports import FrameSink, FrameSource

Samples = npt.NDArray[np.float64]


def sine(rate_hz: int, seconds: float, hz: float = 440, peak: float = 0.25) -> Samples:
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.asarray(peak * np.sin(2 * np.pi * hz * at))


def packed(sound: Samples, width: int) -> bytes:
    if width == 1:
        return np.rint(sound * 127 + 128).astype(np.uint8).tobytes()
    wide = np.rint(sound * 0x7FFF_FF00).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


def save(path: Path, sound: Samples, rate_hz: int, width: int = 2) -> str:
    """Write samples of shape (n,) or (n, channels) with the standard library."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(packed(sound.reshape(-1), width))
    return str(path)


def load(path: str) -> list[bytes]:
    async def scenario() -> list[bytes]:
        source = WavSource(path)
        port: FrameSource = source
        frames = []
        while (frame := await port.read()) is not None:
            frames.append(frame)
        assert await port.read() is None
        source.close()
        return frames

    return asyncio.run(scenario())


def samples(frames: list[bytes]) -> Samples:
    return np.frombuffer(b"".join(frames), "<i2") / 32_768


def snr_db(wanted: Samples, got: Samples) -> float:
    return float(10 * np.log10((wanted**2).mean() / ((got - wanted) ** 2).mean()))


@pytest.mark.parametrize(
    "rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 96_000]
)
def test_any_rate_becomes_48_khz(tmp_path: Path, rate_hz: int) -> None:
    frames = load(save(tmp_path / "a.wav", sine(rate_hz, 0.2), rate_hz))
    assert [len(frame) for frame in frames] == [1_920] * 10
    wanted = sine(48_000, 0.2)
    assert snr_db(wanted[1_000:-1_000], samples(frames)[1_000:-1_000]) > 70


@pytest.mark.parametrize(("width", "db"), [(1, 35), (2, 75), (3, 75), (4, 75)])
@pytest.mark.parametrize("rate_hz", [48_000, 16_000])
def test_any_width_will_do(tmp_path: Path, width: int, db: int, rate_hz: int) -> None:
    frames = load(save(tmp_path / "a.wav", sine(rate_hz, 0.1), rate_hz, width))
    wanted = sine(48_000, 0.1)
    assert snr_db(wanted[1_000:-1_000], samples(frames)[1_000:-1_000]) > db


def test_channels_are_mixed_to_one(tmp_path: Path) -> None:
    both = np.stack([sine(48_000, 0.06, 440), sine(48_000, 0.06, 1_000)], axis=1)
    frames = load(save(tmp_path / "a.wav", both, 48_000))
    assert snr_db(both.mean(axis=1), samples(frames)) > 70


def test_a_file_in_our_own_format_comes_through_bit_by_bit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", sine(48_000, 0.05), 48_000)
    pcm = packed(sine(48_000, 0.05), 2)
    assert b"".join(load(path)) == pcm.ljust(3 * 1_920, b"\0")


def test_the_last_frame_is_padded_with_silence(tmp_path: Path) -> None:
    frames = load(save(tmp_path / "a.wav", sine(48_000, 0.025) + 0.1, 48_000))
    assert len(frames) == 2
    assert frames[1].endswith(bytes(1_920 - 480))


def test_an_empty_wav_ends_at_once(tmp_path: Path) -> None:
    assert load(save(tmp_path / "a.wav", np.zeros(0), 8_000)) == []


@pytest.mark.parametrize("cut_bytes", [1, 2, 3, 400])
def test_a_wav_cut_short_is_read_as_far_as_it_goes(
    tmp_path: Path, cut_bytes: int
) -> None:
    path = tmp_path / "a.wav"
    save(path, np.stack([sine(16_000, 0.1)] * 2, axis=1), 16_000, 3)
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    assert len(load(str(path))) == 5


@pytest.mark.parametrize("up_to_hz", [16_000, 44_100, 48_001, 192_000])
def test_pieces_make_no_difference_to_the_resampler(up_to_hz: int) -> None:
    sound = sine(up_to_hz, 0.05).astype(np.float32)
    one = Resampler(up_to_hz)
    whole = np.concatenate([one.feed(sound), one.finish()])
    many = Resampler(up_to_hz)
    pieces = [many.feed(piece) for piece in np.array_split(sound, 77)]
    np.testing.assert_allclose(
        np.concatenate([*pieces, many.finish()]), whole, atol=1e-6
    )
    assert len(whole) == -(-len(sound) * 48_000 // up_to_hz)


@pytest.mark.parametrize("rate_hz", [1_001, 44_101, 96_001, 383_981, 767_999])
def test_the_oddest_rate_needs_few_taps_and_is_met_within_some_ppm(
    rate_hz: int,
) -> None:
    resampler = Resampler(rate_hz)
    assert resampler._rows.size <= 1_000_000
    taken_as_hz = 48_000 * resampler._down / resampler._up
    assert taken_as_hz == pytest.approx(rate_hz, rel=25e-6)


def test_what_48_khz_cannot_hold_is_filtered_out(tmp_path: Path) -> None:
    high = sine(96_000, 0.1, hz=30_000)
    frames = load(save(tmp_path / "a.wav", high, 96_000))
    assert samples(frames)[1_000:-1_000].std() < 0.001 * high.std()


def test_no_images_above_the_old_band(tmp_path: Path) -> None:
    frames = load(save(tmp_path / "a.wav", sine(8_000, 0.2, hz=1_000), 8_000))
    spectrum = np.abs(np.fft.rfft(samples(frames)[960:-960] * np.hanning(7_680)))
    assert spectrum[700:].max() < 0.001 * spectrum.max()  # from 4.4 kHz on


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a WAV file at all" * 10])
def test_no_wav_is_a_sound_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=r"a\.wav can't be read as WAV: \w"):
        WavSource(str(path))


def test_float_wav_is_a_sound_error(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "a.wav", sine(8_000, 0.1), 8_000))
    content = bytearray(path.read_bytes())
    content[20] = 3  # IEEE float
    path.write_bytes(content)
    with pytest.raises(SoundError, match="unknown format: 3"):
        WavSource(str(path))


def test_samples_wider_than_any_are_a_sound_error(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "a.wav", sine(8_000, 0.1), 8_000))
    content = bytearray(path.read_bytes())
    content[34] = 40  # bits a sample
    path.write_bytes(content)
    with pytest.raises(SoundError, match="40 bits"):
        WavSource(str(path))


def test_a_wav_cut_short_before_its_sound_is_a_sound_error(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "a.wav", sine(8_000, 0.1), 8_000))
    head, _, sound = path.read_bytes().partition(b"data")
    cut = head + b"LIST\xff\xff\0\0" + b"data" + sound
    path.write_bytes(cut[:4] + (len(cut) - 8).to_bytes(4, "little") + cut[8:])
    with pytest.raises(SoundError, match="ends too early"):
        WavSource(str(path))


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001, 4_000_000_000])
def test_an_absurd_rate_is_a_sound_error(tmp_path: Path, rate_hz: int) -> None:
    path = Path(save(tmp_path / "a.wav", sine(8_000, 0.1), 8_000))
    content = bytearray(path.read_bytes())
    content[24:28] = rate_hz.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(SoundError, match=f"{rate_hz} Hz"):
        WavSource(str(path))


def test_a_missing_file_is_a_sound_error(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="No such file"):
        WavSource(str(tmp_path / "a.wav"))
    with pytest.raises(SoundError, match="directory"):
        WavSource(str(tmp_path))


def record(path: str, frames: list[bytes]) -> WavSink:
    async def scenario() -> WavSink:
        sink = WavSink(path)
        port: FrameSink = sink
        await port.wanted()
        for frame in frames:
            port.write(frame)
        return sink

    return asyncio.run(scenario())


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    frames = [os.urandom(1_920) for _ in range(7)]
    sink = record(path, frames)
    sink.close()
    assert sink.failed is None
    with wave.open(path) as file:
        assert file.getparams()[:4] == (1, 2, 48_000, 7 * 960)
    assert load(path) == frames


def test_the_file_of_a_killed_process_is_readable(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    sink = record(path, [os.urandom(1_920) for _ in range(120)])
    with wave.open(path) as file:  # nothing was closed yet
        assert file.getnframes() == 100 * 960
    sink.close()
    with wave.open(path) as file:
        assert file.getnframes() == 120 * 960


def test_a_file_without_sound_is_a_wav(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    record(path, []).close()
    assert load(path) == []


def test_a_file_that_cannot_be_made_is_a_sound_error(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="can't be written: No such file"):
        WavSink(str(tmp_path / "no" / "a.wav"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_and_ends_nothing() -> None:
    sink = record("/dev/full", [bytes(1_920)] * 120)
    assert isinstance(sink.failed, SoundError)
    assert "No space left" in str(sink.failed)
    sink.close()
