"""How sound is sent: what is reported of it, loss, queues, and the wire rate."""

from typing import Final

__all__ = [
    "BURST_RATIO",
    "CARRIED_WINDOW_S",
    "COPY_REACH_MAX_FRAMES",
    "DRAIN_MAX_SHARE",
    "LATENESS_MEMORY_S",
    "LOSS_CALM_S",
    "LOSS_FAST_S",
    "LOSS_HOPELESS_PCT",
    "LOSS_MIN_FRAMES",
    "LOSS_SLOW_S",
    "QUALITY_PAUSE_S",
    "QUEUE_BLAME_S",
    "QUEUE_BUCKET_S",
    "QUEUE_EMPTY_MS",
    "QUEUE_FULL_MS",
    "QUEUE_GROWTH",
    "QUEUE_MEMORY_S",
    "QUEUE_PACKETS",
    "QUEUE_RECENT_S",
    "QUEUE_STANDS_S",
    "RATE_CALM_RATIO",
    "RATE_DOUBT_PCT",
    "RATE_DOUBT_S",
    "RATE_FULL_RATIO",
    "RATE_HEADROOM",
    "RATE_IN_VAIN_RATIO",
    "RATE_JUDGE_S",
    "RATE_PATIENCE_MAX_S",
    "RATE_PATIENCE_MIN_S",
    "RATE_SENT_S",
    "RATE_SETTLE_S",
    "RATE_START_BPS",
    "RATE_START_DOUBT_PCT",
    "RATE_START_FRAMES",
    "RATE_START_MAX_S",
    "RATE_STARVED_RATIO",
    "RATE_STEP_RATIO",
    "REORDER_MAX_FRAMES",
    "REORDER_MIN_FRAMES",
    "REPORT_NEWS_PAUSE_S",
    "REPORT_PAUSE_S",
    "REPORT_START_S",
    "WIRE_RATE_MAX_RATIO",
]

# --- From a specification --------------------------------------------------------

REORDER_MIN_FRAMES: Final = 3
"""Later frames that come before one counts as lost. Source: RFC 9002 section 6.1.1."""

# --- Chosen by us ----------------------------------------------------------------

COPY_REACH_MAX_FRAMES: Final = 9
"""How many packets back a copy may be. Source: ours; 200 ms are waited for it."""

WIRE_RATE_MAX_RATIO: Final = 1.7
"""How much more than a plain stream may be sent. Source: ours; 107 kbit/s of Opus."""

LOSS_MIN_FRAMES: Final = 50
"""Frames that a share of loss is counted over at least. Source: ours; a second."""

LOSS_FAST_S: Final = 2.0
"""How far back loss counts that sends more copies at once. Source: ours."""

LOSS_SLOW_S: Final = 8.0
"""How far back loss counts that keeps copies going. Source: ours; loss comes again."""

LOSS_CALM_S: Final = 4.0
"""How long fewer copies must do before fewer are sent. Source: ours."""

LOSS_HOPELESS_PCT: Final = 50.0
"""Loss beyond which more copies only make it worse. Source: ours."""

BURST_RATIO: Final = 1.5
"""Mean length of gaps, in that of random loss, that makes bursts. Source: ours."""

REORDER_MAX_FRAMES: Final = 12
"""The most, where the network is seen to reorder. Source: ours; 240 ms."""

QUEUE_BUCKET_S: Final = 0.25
"""Time of which the fastest frame is remembered. Source: ours; 12 frames."""

QUEUE_PACKETS: Final = 4
"""How many packets the fastest of the last ones is taken of. Source: ours; 80 ms."""

QUEUE_RECENT_S: Final = 0.1
"""Time over which it is taken at least. Source: ours; five packets."""

QUEUE_MEMORY_S: Final = 10.0
"""How long the fastest frame stands for an empty queue. Source: ours, after BBR."""

LATENESS_MEMORY_S: Final = 12.0
"""How long our own pauses are known. Source: ours; longer than the peer sees them."""

QUEUE_FULL_MS: Final = 60.0
"""Delay of the fastest frames that makes a queue. Source: ours; three frames."""

QUEUE_BLAME_S: Final = 0.5
"""How long after a queue losses are still its own. Source: ours; reports lag."""

QUEUE_EMPTY_MS: Final = 20.0
"""Delay below which there is none. Source: ours; one frame."""

QUEUE_STANDS_S: Final = 0.5
"""How long a queue is there that stands. Source: ours; jitter does not last."""

QUEUE_GROWTH: Final = 0.02
"""Seconds a second that make a queue grow. Source: ours; clocks drift 0.0003."""

CARRIED_WINDOW_S: Final = 0.3
"""Time over which what comes through is measured. Source: ours; 5 to 15 packets."""

RATE_START_BPS: Final = (28_000, 41_000)
"""Wire rates of a call's first moments. Source: ours; most links carry them."""

RATE_START_FRAMES: Final = 12
"""Frames that must have come through before the next one. Source: ours; 240 ms."""

RATE_START_MAX_S: Final = 2.0
"""Time until it ends although jitter looks like a queue. Source: ours."""

RATE_START_DOUBT_PCT: Final = 20.0
"""How much more loss after it is the rise's. Source: ours; few frames came before."""

RATE_HEADROOM: Final = 0.85
"""Share of the measured rate used after a cut. Source: ours; the queue drains."""

RATE_SETTLE_S: Final = 1.5
"""Time after a cut until its effect is looked at. Source: ours; a report."""

DRAIN_MAX_SHARE: Final = 0.4
"""How much of the rate a queue may take to drain. Source: ours; speech goes on."""

RATE_STEP_RATIO: Final = 1.1
"""How far the rate is raised at a time, until that makes a difference. Source: ours."""

RATE_STARVED_RATIO: Final = 0.8
"""What comes through of what is sent where a full link holds it. Source: ours."""

RATE_FULL_RATIO: Final = 0.9
"""The same where a queue of 60 ms grows. Source: ours; jitter grows queues, too."""

RATE_SENT_S: Final = 0.8
"""How far back what was sent may only now come. Source: ours; a queue and a trip."""

RATE_JUDGE_S: Final = 1.0
"""How long losses after a cut are counted until it is judged. Source: ours."""

RATE_DOUBT_S: Final = 3.0
"""How long new loss is put down to the last rise. Source: ours."""

RATE_DOUBT_PCT: Final = 10.0
"""How much more loss that has to be. Source: ours; chance does less."""

RATE_IN_VAIN_RATIO: Final = 0.3
"""Loss left after a cut, of that before, that shows it was in vain. Source: ours."""

RATE_PATIENCE_MIN_S: Final = 8.0
"""First pause before more is tried after a cut. Source: ours."""

RATE_CALM_RATIO: Final = 3.0
"""How much longer that pause is while a queue stands, but as it was. Source: ours."""

RATE_PATIENCE_MAX_S: Final = 64.0
"""Longest one: it doubles each time that more did not fit. Source: ours."""

QUALITY_PAUSE_S: Final = 0.1
"""Shortest pause between two reports to the peer. Source: ours; five frames."""

REPORT_PAUSE_S: Final = 0.2
"""Pause between two quick reports. Source: ours; 1 kbit/s."""

REPORT_NEWS_PAUSE_S: Final = 0.06
"""The same at a call's start, and while loss or a queue begins. Source: ours."""

REPORT_START_S: Final = 2.0
"""How long the start is. Source: ours."""
