import array
import math

import pytest

from wzp_cli.protocol.media.level import Level, level


def pcm(*samples: int) -> bytes:
    return array.array("h", samples).tobytes()


def test_full_scale_is_zero_and_half_of_it_six_less() -> None:
    assert level(pcm(-32768, 32767) * 480) == Level(0.0, 0.0)
    assert level(pcm(16384, -16384) * 480) == Level(-6.0, -6.0)


def test_a_sine_is_three_below_its_peak() -> None:
    sine = [round(8192 * math.sin(2 * math.pi * n / 48)) for n in range(960)]
    loud = level(pcm(*sine))
    assert loud.peak_dbfs == pytest.approx(-12.0, abs=0.1)
    assert loud.mean_dbfs == pytest.approx(-15.1, abs=0.1)


@pytest.mark.parametrize("nothing", [b"", bytes(1920)])
def test_digital_silence_has_no_level(nothing: bytes) -> None:
    assert level(nothing) == Level(None, None)


def test_one_sample_of_noise_is_a_level() -> None:
    assert level(pcm(1) + bytes(1918)).peak_dbfs == -90.3
