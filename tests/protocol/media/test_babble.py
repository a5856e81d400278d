import numpy as np

from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import BABBLE_PEAK_INT16
from wzp_cli.protocol.media.babble import babble
from wzp_cli.protocol.media.likeness import compare


def samples() -> np.ndarray:
    return np.frombuffer(babble(), "<i2").astype(np.float64)


def test_it_is_whole_frames_and_the_same_each_time() -> None:
    assert len(babble()) % MEDIA_FRAME_BYTES == 0
    assert babble() == babble()


def test_it_is_loud_but_never_clipped() -> None:
    assert abs(np.abs(samples()).max() - BABBLE_PEAK_INT16) <= 1


def test_it_has_pauses() -> None:
    frames = samples().reshape(-1, MEDIA_FRAME_BYTES // 2)
    silent = np.abs(frames).max(axis=1) == 0
    assert 0.1 < silent.mean() < 0.5


def test_telephone_quality_carries_it_whole() -> None:
    power = np.abs(np.fft.rfft(samples())) ** 2
    hz = np.fft.rfftfreq(len(samples()), 1 / MEDIA_CLOCK_HZ)
    assert power[hz > 3_400].sum() < 1e-3 * power.sum()


def test_no_two_syllables_are_alike() -> None:
    """So a piece that was heard at another place is never taken for the right one."""
    sound = babble()
    places = [m.heard_at - m.said_at for m in compare(sound, sound).matches]
    assert set(places) == {0}
