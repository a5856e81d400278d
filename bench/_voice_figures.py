"""What a recorded call tells: quality by PESQ, delay by correlation."""

import bisect
import functools
import statistics
import wave
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench._voice import LINK, Call, Heard, Script
from tests.support import g722
from tests.support.speech import RATE_HZ, Samples, heard, pesq_wb, write_wav

FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
WARM, MEASURED = "demo-congrats", "vm-options"
NOISE_S, WARM_S, CLIP_S = 1.0, 6.0, 8.0
CLIPS = 2

PIECE_S = 0.5
EARLY_S, LATE_S = 0.05, 1.0
"""Where a piece is looked for, around the moment at which it was said."""
LOUD = 200.0
"""Root mean square from which a piece counts as speech, of 32768."""
FITS = 0.6
HEARD_PIECES = 10
"""Fewer pieces of a call, of some 50, may be found by accident, and say nothing."""
_WAV_FACTOR = 3
_FRAME_S = 0.020


def script(folder: Path, times: int = 1) -> Script:
    """Write what is said: noise, speech to warm up, what is measured so many times."""
    before = write_wav(
        folder / "before.wav", np.concatenate([noise(NOISE_S), _read(WARM, WARM_S)])
    )
    clip = write_wav(folder / "clip.wav", measured())
    path = folder / "speech.wav"
    with ExitStack() as stack:
        parts = [
            stack.enter_context(wave.open(str(part), "rb")) for part in (before, clip)
        ]
        first, again = (part.readframes(part.getnframes()) for part in parts)
        file = stack.enter_context(wave.open(str(path), "wb"))
        file.setparams(parts[0].getparams())
        file.writeframes(first + again * times)
    return Script(path, NOISE_S + WARM_S, times * CLIPS * CLIP_S)


def noise(seconds: float) -> Samples:
    """Return noise of two steps: a silence in which nothing is exactly zero."""
    chance = np.random.default_rng(0)
    return chance.integers(-2, 3, int(seconds * RATE_HZ)).astype(np.int16)


def measured() -> Samples:
    """Return the part that is measured: `CLIPS` clips, one after the other."""
    return _read(MEASURED, CLIPS * CLIP_S)


@functools.cache
def _read(name: str, seconds: float) -> Samples:
    octets = (FOLDER / f"{name}.g722").read_bytes()[: int(seconds * RATE_HZ / 2)]
    return g722.decode(octets)


def why_not() -> str | None:
    """Say what is missing to measure; None if nothing."""
    try:
        import pesq  # noqa: F401
    except ImportError:
        return "PESQ is missing: pip install pesq (it needs a C compiler)"
    if not (FOLDER / f"{MEASURED}.g722").exists():
        return "speech is missing: apt-get install asterisk-core-sounds-en-g722"
    return None


def figures(call: Call, said: Script) -> dict[str, object]:
    """Return a call's figures: lists over clips, directions or ends."""
    delays = [
        delay
        for way in call.directions
        for _, delay in delays_ms(way, measured(), said.from_s)
    ]
    found = len(delays) >= HEARD_PIECES
    return {
        "pesq": [score for way in call.directions for score in _scores(way)],
        "delay_ms": statistics.median(delays) if found else None,
        "delay_p95_ms": float(np.percentile(delays, 95)) if found else None,
        "pieces": len(delays),
        "cpu_pct": [round(end["cpu_pct"], 2) for end in call.figures if end],
        "kbps": [round(end["kbps"], 1) for end in call.figures if end],
        "packets_s": [round(end["packets_s"], 1) for end in call.figures if end],
        "concealed_pct": concealed_pct(call),
        "stats": [_stats(events) for events in call.events],
    }


def _scores(way: Heard) -> list[float]:
    """PESQ of each clip; where nothing was heard, its lowest value."""
    recorded, clips = heard(way.recording), np.split(measured(), CLIPS)
    scores = []
    for clip in clips:
        try:
            scores.append(round(pesq_wb(clip, recorded), 3))
        except Exception as error:
            if type(error).__name__ != "NoUtterancesError":
                raise
            scores.append(1.0)
    return scores


def delays_ms(way: Heard, clip: Samples, from_s: float) -> list[tuple[float, float]]:
    """Return where in `clip` each piece of speech is, and how much later it was heard.

    `from_s`: where in what was said `clip` begins. Without the link's own delay.
    Counted from the moment a frame is handed over to that at which its first sample is
    handed out: what a microphone needs to fill a frame is not in it.
    """
    recorded = heard(way.recording).astype(np.float64)
    size = int(PIECE_S * RATE_HZ)
    delays = []
    for begin in range(0, len(clip) - size, size):
        piece = clip[begin : begin + size].astype(np.float64)
        frame, within = divmod(from_s + begin / RATE_HZ + 1e-9, _FRAME_S)
        said_s = way.said_s[int(frame)] + within
        first = _sample(way.times, said_s - EARLY_S) // _WAV_FACTOR
        last = _sample(way.times, said_s + LATE_S + PIECE_S) // _WAV_FACTOR
        near = recorded[first:last]
        if np.sqrt(np.mean(piece**2)) < LOUD or len(near) <= size:
            continue
        found, fit = _best(piece, near)
        if fit >= FITS:
            late_s = _time_s(way.times, (first + found) * _WAV_FACTOR) - said_s
            delays.append((begin / RATE_HZ, 1000 * late_s - LINK.delay_ms))
    return delays


def _best(piece: np.ndarray, near: np.ndarray) -> tuple[int, float]:
    """Return where the piece fits best, and how well (1.0: the same)."""
    size = len(near) + len(piece)
    spectrum = np.fft.rfft(near, size) * np.conj(np.fft.rfft(piece, size))
    products = np.fft.irfft(spectrum, size)[: len(near) - len(piece) + 1]
    squares = np.cumsum(np.concatenate([[0.0], near**2]))
    energies = squares[len(piece) :] - squares[: -len(piece)]
    fits = products / np.sqrt(np.maximum(energies, 1.0) * np.sum(piece**2))
    at = int(np.argmax(fits))
    return at, float(fits[at])


def _sample(times: Sequence[tuple[int, float]], moment_s: float) -> int:
    """Return about which sample was handed out at a moment."""
    after = bisect.bisect_right(times, moment_s, key=lambda each: each[1])
    return times[after - 1][0] if after else 0


def _time_s(times: Sequence[tuple[int, float]], sample: int) -> float:
    """Return when a sample was handed out, spread over what came with it."""
    after = bisect.bisect_right(times, sample, key=lambda each: each[0])
    start, at_s = times[after - 1]
    return at_s + (sample - start) / (RATE_HZ * _WAV_FACTOR)


def concealed_pct(call: Call) -> float | None:
    """Return the share of sound made up by the receiver, where a stack tells it."""
    shares = [end.get("concealed_pct") for end in call.figures] + [
        _concealed_by_wzp(events) for events in call.events
    ]
    known = [share for share in shares if share is not None]
    return round(statistics.mean(known), 2) if known else None


def _concealed_by_wzp(events: list[dict]) -> float | None:
    ends = [event for event in events if event["event"] == "end"]
    if not ends or "frames" not in ends[-1]:
        return None
    frames = ends[-1]["frames"]
    heard_of = frames["received"] + frames["recovered"] + frames["concealed"]
    return 100 * frames["concealed"] / heard_of if heard_of else None


def _stats(events: list[dict]) -> list[dict]:
    """The `stats` of one end, without what every event has."""
    common = ("v", "ts", "seq", "event")
    return [
        {key: value for key, value in event.items() if key not in common}
        for event in events
        if event["event"] == "stats"
    ]
