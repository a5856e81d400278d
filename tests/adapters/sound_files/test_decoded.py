"""Files that wzp itself can't read: by libsndfile, or refused with a sentence."""

import asyncio
import contextlib
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.requirements import require
from wzp_cli.adapters.sound_files import decoded
from wzp_cli.adapters.sound_files.decoded import DecodedSource, can_decode, open_file
from wzp_cli.adapters.sound_files.wav import WavSource
from wzp_cli.errors import SoundError
from wzp_cli.ports import FrameSource


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(self: object) -> None: ...

    if not can_decode():
        require("files", "the extra files is not installed")
    monkeypatch.setattr("wzp_cli.adapters.sound_files.pace.Pace.beat", at_once)


def sine(hz: int, rate_hz: int, seconds: float = 1.0) -> npt.NDArray[np.float64]:
    return 0.25 * np.sin(2 * np.pi * hz * np.arange(rate_hz * seconds) / rate_hz)


def save(path: Path, sound: npt.NDArray[np.float64], rate_hz: int, **how: str) -> str:
    import soundfile

    soundfile.write(path, sound, rate_hz, **how)
    return str(path)


def load(path: str) -> npt.NDArray[np.int16]:
    """Return the sound of a file, as far as it can be read."""

    async def scenario() -> bytes:
        source = open_file(path)
        port: FrameSource = source
        frames = []
        with contextlib.suppress(SoundError):
            while (frame := await port.read()) is not None:
                frames.append(frame)
        source.close()
        return b"".join(frames)

    return np.frombuffer(asyncio.run(scenario()), "<i2")


def loudest_hz(sound: npt.NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    return float(np.argmax(spectrum) * 48_000 / len(sound))


@pytest.mark.parametrize(
    ("name", "rate_hz", "how"),
    [
        ("a.flac", 44_100, {}),
        ("a.flac", 8_000, {}),
        ("a.flac", 96_000, {}),
        ("a.ogg", 44_100, {}),
        ("a.opus", 48_000, {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", 44_100, {}),
        ("a.wav", 22_050, {"subtype": "FLOAT"}),
    ],
    ids=str,
)
def test_formats_and_rates(
    tmp_path: Path, name: str, rate_hz: int, how: dict[str, str]
) -> None:
    sound = load(save(tmp_path / name, sine(1_000, rate_hz), rate_hz, **how))
    assert len(sound) % 960 == 0
    assert len(sound) == pytest.approx(48_000, abs=4_000), "MP3 adds some silence"
    assert loudest_hz(sound) == pytest.approx(1_000, abs=2)
    peak = np.abs(sound[9_600:38_400].astype(int)).max()
    assert peak == pytest.approx(8_192, rel=0.1)


def test_channels_are_mixed(tmp_path: Path) -> None:
    both = np.stack([sine(1_000, 48_000), np.zeros(48_000)], axis=1)
    sound = load(save(tmp_path / "a.flac", both, 48_000))
    assert np.abs(sound.astype(int)).max() == pytest.approx(4_096, rel=0.05)


def test_plain_wav_needs_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.wav")
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(1_920))
    monkeypatch.setattr(decoded, "can_decode", lambda: False)
    assert isinstance(open_file(path), WavSource)


def test_without_the_library_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.flac", sine(1_000, 48_000), 48_000)
    monkeypatch.setattr(decoded, "can_decode", lambda: False)
    with pytest.raises(SoundError, match=r"a\.flac is no WAV.*wzp\[files\]"):
        open_file(path)


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_text("this is text" * 100)
    with pytest.raises(SoundError, match=r"a\.flac can't be read as sound: \w"):
        open_file(str(tmp_path / "a.flac"))
    with pytest.raises(SoundError, match="No such file"):
        open_file(str(tmp_path / "none.flac"))


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "a.flac", sine(1_000, 48_000, 3.0), 48_000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0 < len(load(str(path))) < 3 * 48_000


def test_a_source_is_closed(tmp_path: Path) -> None:
    source = open_file(save(tmp_path / "a.flac", sine(1_000, 48_000), 48_000))
    assert isinstance(source, DecodedSource)
    source.close()
    assert source._file.closed
