import numpy as np
import numpy.typing as npt
import pytest

from wzp_cli.adapters.codecs import g711
from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.errors import LocalProtocolError
from wzp_cli.ports import Codec

FRAME = 960


def sine(hz: float, frames: int = 20, peak: float = 8_000) -> list[bytes]:
    at = np.arange(frames * FRAME) / 48_000
    pcm = (peak * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()
    return [pcm[i : i + 2 * FRAME] for i in range(0, len(pcm), 2 * FRAME)]


def samples(frames: list[bytes]) -> npt.NDArray[np.float64]:
    return np.frombuffer(b"".join(frames), "<i2").astype(np.float64)


def heard(frames: list[bytes]) -> npt.NDArray[np.float64]:
    codec: Codec = G711Codec()
    return samples([codec.decode(codec.encode(frame)) for frame in frames])


# From ITU-T G.711 table 2, times four: 14 bits there, 16 here.
@pytest.mark.parametrize(
    ("code", "sample"),
    [
        (0xFF, 0),
        (0x80, 32_124),
        (0x00, -32_124),
        (0xF0, 120),
        (0xEF, 132),
        (0x9F, 8_316),
    ],
)
def test_the_known_values_expand(code: int, sample: int) -> None:
    assert g711._expansion()[code] == sample


def test_each_code_survives_expansion_and_compression() -> None:
    codes = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is minus zero
    assert g711._compress(g711._expansion()[list(codes)]) == codes


def test_the_loudest_samples_are_clipped() -> None:
    loud = np.array([32_767.0, 32_768.0, 40_000.0, -32_768.0, -40_000.0])
    assert g711._compress(loud) == bytes([0x80, 0x80, 0x80, 0x00, 0x00])


def test_a_frame_takes_160_bytes() -> None:
    assert {len(G711Codec().encode(frame)) for frame in sine(1_000)} == {160}


@pytest.mark.parametrize("hz", [300, 1_000, 2_700])
def test_a_telephone_tone_comes_back_clean(hz: float) -> None:
    spoken, back = samples(sine(hz)), heard(sine(hz))
    lag = g711._TAPS - 1  # both filters' delay
    sent, got = spoken[4_800:14_400], back[4_800 + lag : 14_400 + lag]
    error = got - sent
    assert 10 * np.log10((sent**2).mean() / (error**2).mean()) > 30


@pytest.mark.parametrize("hz", [5_000, 7_000, 12_000, 20_000])
def test_what_does_not_fit_is_filtered_not_folded(hz: float) -> None:
    assert heard(sine(hz))[4_800:].std() < 0.01 * samples(sine(hz)).std()


def test_there_is_no_seam_between_frames() -> None:
    steps = np.abs(np.diff(heard(sine(500))[4_800:]))
    assert steps.max() < 1.2 * 8_000 * 2 * np.pi * 500 / 48_000 + 350


@pytest.mark.parametrize("length", [0, 1_918, 1_921])
def test_a_frame_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"{length} bytes"):
        G711Codec().encode(bytes(length))


@pytest.mark.parametrize("length", [0, 1, 159, 161, 1_500])
def test_a_packet_of_another_length_is_concealed(length: int) -> None:
    codec = G711Codec()
    assert len(codec.decode(bytes(length))) == 2 * FRAME
    assert codec.damaged == 1


def test_a_lost_frame_continues_the_pitch_and_fades() -> None:
    codec = G711Codec()
    for frame in sine(200):
        codec.decode(codec.encode(frame))
    lost = [samples([codec.conceal()]).std() for _ in range(5)]
    assert 3_000 < lost[0] < 5_657
    assert lost == sorted(lost, reverse=True)
    assert lost[4] == 0


def test_after_a_loss_the_next_packet_is_heard_in_full() -> None:
    codec = G711Codec()
    frames = sine(200)
    for frame in frames[:10]:
        codec.decode(codec.encode(frame))
    codec.conceal()
    after = [codec.decode(codec.encode(frame)) for frame in frames[10:]]
    assert samples(after[1:]).std() == pytest.approx(5_657, rel=0.05)


def test_after_a_fade_the_sound_comes_back_without_a_step() -> None:
    codec = G711Codec()
    at = np.arange(20 * 960) / 48_000
    pcm = (8_000 * np.cos(2 * np.pi * 300 * at)).astype("<i2").tobytes()
    packets = [codec.encode(pcm[n : n + 1_920]) for n in range(0, len(pcm), 1_920)]
    heard = [codec.decode(packet) for packet in packets[:10]]
    heard += [codec.conceal() for _ in range(5)]
    heard += [codec.decode(packet) for packet in packets[15:]]
    steps = np.abs(np.diff(np.frombuffer(b"".join(heard), "<i2").astype(float)))
    assert steps[10 * 960 :].max() <= 1.2 * steps[5 * 960 : 10 * 960].max()
