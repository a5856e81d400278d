import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from wzp_cli.adapters.codecs import opus
from wzp_cli.adapters.codecs.opus import OpusCodec, find_opus, open_opus
from wzp_cli.errors import CodecMissing, LocalProtocolError
from wzp_cli.ports import Codec

FRAME = 960
SILENCE = bytes(2 * FRAME)


def vowel(frames: int) -> list[bytes]:
    """A steady voiced sound: 120 Hz with eight harmonics."""
    at = np.arange(frames * FRAME) / 48_000
    sound = sum(2_500 / n * np.sin(2 * np.pi * 120 * n * at) for n in range(1, 9))
    pcm = np.asarray(sound).astype("<i2").tobytes()
    return [pcm[i : i + 2 * FRAME] for i in range(0, len(pcm), 2 * FRAME)]


def samples(frames: list[bytes]) -> npt.NDArray[np.float64]:
    return np.frombuffer(b"".join(frames), "<i2").astype(np.float64)


def noise(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return rng.integers(-9_000, 9_000, FRAME).astype("<i2").tobytes()


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_encoded_is_heard_again() -> None:
    codec: Codec = open_opus()
    at = np.arange(100 * FRAME) / 48_000
    sent = 8_000 * np.sin(2 * np.pi * 440 * at)
    pcm = sent.astype("<i2").tobytes()
    heard = samples(
        [
            codec.decode(codec.encode(pcm[i : i + 1_920]))
            for i in range(0, len(pcm), 1_920)
        ]
    )[24_000:]
    lags = range(290, 330)  # about 6.5 ms, the look-ahead of the encoder
    likeness = [np.corrcoef(sent[24_000:-lag], heard[lag:])[0, 1] for lag in lags]
    assert max(likeness) > 0.998
    assert heard.std() == pytest.approx(sent.std(), rel=0.02)


def test_a_vowel_keeps_its_harmonics() -> None:
    codec = open_opus()
    spoken = vowel(100)
    heard = samples([codec.decode(codec.encode(frame)) for frame in spoken])[48_000:]
    before = np.abs(np.fft.rfft(samples(spoken)[48_000:]))[120:961:120]
    after = np.abs(np.fft.rfft(heard))[120:961:120]
    np.testing.assert_allclose(after, before, rtol=0.3)


def test_the_length_of_a_packet_tells_nothing_about_the_sound() -> None:
    codec = open_opus(bitrate_bps=24_000)
    frames = [SILENCE] * 50 + vowel(50) + [noise(n) for n in range(20)]
    assert {len(codec.encode(frame)) for frame in frames} == {60}


def test_the_bitrate_may_change_during_a_call() -> None:
    codec = open_opus(bitrate_bps=32_000)
    assert codec.bitrate_bps == 32_000
    assert len(codec.encode(SILENCE)) == 80
    codec.bitrate_bps = 16_000
    assert codec.bitrate_bps == 16_000
    assert len(codec.encode(SILENCE)) == 40


def test_a_setting_that_opus_refuses_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError, match="complexity 11"):
        open_opus(complexity=11)
    with pytest.raises(LocalProtocolError, match="bitrate -5"):
        open_opus(bitrate_bps=-5)


@pytest.mark.parametrize("length", [0, 2, 1918, 1919, 1921, 3840])
def test_a_frame_of_another_length_never_reaches_libopus(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"{length} bytes"):
        open_opus().encode(bytes(length))


def packet_of(samples: int) -> bytes:
    """A valid Opus packet that is not 20 ms long."""
    open_opus()
    import opuslib

    encoder = opuslib.Encoder(48_000, 1, opuslib.APPLICATION_VOIP)
    packet: bytes = encoder.encode(bytes(2 * samples), samples)
    return packet


@pytest.mark.parametrize("count", [120, 480, 1_920, 2_880])
def test_a_packet_that_is_not_20_ms_is_concealed(count: int) -> None:
    codec = open_opus()
    assert len(codec.decode(packet_of(count))) == 2 * FRAME
    assert codec.damaged == 1


def test_no_packet_makes_decode_raise() -> None:
    codec = open_opus()
    rng = random.Random(7)
    for _ in range(3_000):
        packet = rng.randbytes(rng.choice((0, 1, 2, 3, 60, 200, 1_275, 1_500)))
        assert len(codec.decode(packet)) == 2 * FRAME
    assert codec.damaged > 1_000


def test_every_cut_of_a_packet_gives_20_ms() -> None:
    codec = open_opus()
    packet = [codec.encode(frame) for frame in vowel(5)][-1]
    for length in range(len(packet)):
        assert len(codec.decode(packet[:length])) == 2 * FRAME


def test_an_empty_packet_counts_as_damaged() -> None:
    codec = open_opus()
    codec.decode(b"")
    assert codec.damaged == 1


def test_a_lost_packet_is_concealed_with_the_sound_before_it() -> None:
    codec = open_opus()
    packets = [codec.encode(frame) for frame in vowel(60)]
    before = [codec.decode(packet) for packet in packets[:50]][-1]
    lost = codec.conceal()
    assert len(lost) == 2 * FRAME
    assert 0.3 < samples([lost]).std() / samples([before]).std() < 1.2
    after = [codec.decode(packet) for packet in packets[51:]][-1]
    assert 0.8 < samples([after]).std() / samples([before]).std() < 1.2
    assert codec.damaged == 0


def test_a_long_loss_fades_away() -> None:
    codec = open_opus()
    for frame in vowel(50):
        codec.decode(codec.encode(frame))
    levels = [samples([codec.conceal()]).std() for _ in range(30)]
    assert levels[0] > 300
    assert levels[20] < levels[0] / 2
    assert levels[25:] == [0] * 5


def test_before_the_first_packet_there_is_silence() -> None:
    assert open_opus().conceal() == SILENCE


def test_the_library_named_by_the_environment_is_the_only_one_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WZP_OPUS_LIB", "/nonexistent/libopus.so")
    with pytest.raises(CodecMissing, match=r"/nonexistent/libopus\.so"):
        find_opus()


def test_a_library_that_is_not_opus_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import _ctypes

    monkeypatch.setenv("WZP_OPUS_LIB", _ctypes.__file__)
    with pytest.raises(CodecMissing, match="opus_encoder_create"):
        find_opus()


def test_the_bundled_library_is_the_last_resort(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WZP_OPUS_LIB", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr(opus, "_PREFIXES", ())
    assert "opuslib_next" in find_opus()
    assert "opuslib_next" not in sys.modules


def test_without_any_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WZP_OPUS_LIB", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr(opus, "_PREFIXES", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CodecMissing, match="Install libopus0"):
        find_opus()


def test_the_bundled_library_works_and_nothing_heavy_is_loaded() -> None:
    bundled = next(opus._bundled())
    code = (
        "import sys; from wzp_cli.adapters.codecs.opus import open_opus\n"
        "assert 'opuslib' not in sys.modules\n"
        "codec = open_opus()\n"
        "print(len(codec.decode(codec.encode(bytes(1920)))))\n"
        "print({'numpy', 'opuslib_next', 'sounddevice'} & set(sys.modules))"
    )
    result = run_python(code, WZP_OPUS_LIB=bundled)
    assert (result.stdout, result.stderr) == ("1920\nset()\n", "")


def test_it_is_a_codec_by_shape() -> None:
    assert isinstance(open_opus(), OpusCodec)
    assert (OpusCodec.name, OpusCodec.payload_type) == ("opus", 111)


def resting(codec: OpusCodec) -> None:
    """Let a codec hear a voice, then what an encoder says that falls silent (DTX)."""
    encoder = open_opus()
    encoder._set("dtx", 1)
    encoder._set("vbr", 1)
    rng = np.random.default_rng(1)
    sound = samples(vowel(100) + [SILENCE] * 100)
    pcm = (sound + rng.normal(0, 30, len(sound))).astype("<i2").tobytes()
    frames = [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm), 2 * FRAME)]
    packets = [encoder.encode(frame) for frame in frames]
    assert min(map(len, packets)) <= 2, "the encoder has nothing to say"
    for packet in packets:
        codec.decode(packet)
        if len(packet) <= 2:
            break


def test_in_a_pause_of_the_peer_there_is_comfort_noise() -> None:
    codec = open_opus()
    resting(codec)
    noise = [samples([codec.conceal()]).std() for _ in range(100)]
    assert all(1 <= level < 200 for level in noise[50:])


def test_after_a_fade_the_sound_comes_back_in_5_ms() -> None:
    codec = open_opus()
    packets = [codec.encode(frame) for frame in vowel(60)]
    for packet in packets[:50]:
        codec.decode(packet)
    for _ in range(30):
        codec.conceal()
    back = np.abs(samples([codec.decode(packets[50])]))
    assert back[:12].max() < 0.1 * back[240:].max()
    again = np.abs(samples([codec.decode(packets[51])]))
    assert again[:240].max() > 0.5 * again.max()
