from pathlib import Path

import numpy as np

from tests.support.speech import (
    RATE_HZ,
    aligned_correlation,
    coded_speech,
    heard,
    pesq_wb,
    speech,
    synthetic_voice,
    write_wav,
)

SECONDS = 3.0
SILENCE = np.zeros(RATE_HZ // 3, np.int16)
FRAME = RATE_HZ // 50


def test_speech_is_the_same_each_time() -> None:
    assert len(speech(SECONDS)) == SECONDS * RATE_HZ
    assert np.abs(speech(SECONDS)).max() > 3000
    assert (synthetic_voice(SECONDS) == synthetic_voice(SECONDS)).all()


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    read = heard(write_wav(tmp_path / "said.wav", speech(SECONDS)))
    assert aligned_correlation(speech(SECONDS), read) > 0.999


def test_a_recording_may_begin_earlier_or_later() -> None:
    said = speech(SECONDS)
    assert aligned_correlation(said, said) > 0.9999
    assert aligned_correlation(said, np.concatenate([SILENCE, said])) > 0.9999
    assert aligned_correlation(said, said[200:]) > 0.999


def test_a_frame_put_in_is_forgiven_and_a_gap_is_not() -> None:
    said = speech(SECONDS)
    middle = len(said) // 2
    longer = np.concatenate([said[:middle], said[middle - FRAME :]])
    assert aligned_correlation(said, longer) > 0.99
    holed = said.copy()
    holed[middle : middle + RATE_HZ] = 0
    assert aligned_correlation(said, holed) < 0.9


def test_other_sound_is_not_alike() -> None:
    said = speech(SECONDS)
    assert aligned_correlation(said, SILENCE) == 0.0
    assert aligned_correlation(said, synthetic_voice(SECONDS)) < 0.6
    noise = np.random.default_rng(1).integers(-9000, 9000, len(said)).astype(np.int16)
    assert aligned_correlation(said, noise) < 0.3


def test_quality_falls_with_noise() -> None:
    said = speech(SECONDS)
    assert pesq_wb(said, said) > 4.5
    assert aligned_correlation(said, coded_speech(SECONDS)) > 0.9
    noise = np.random.default_rng(1).integers(-2000, 2000, len(said))
    assert pesq_wb(said, (said // 2 + noise).astype(np.int16)) < 2.0
