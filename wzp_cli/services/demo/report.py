"""What the demo shows: its calls as measured, and what did not hold.

Loaded before anything runs (it is the result of `wzp demo`), so it imports little.
"""

from dataclasses import dataclass

from wzp_cli.defaults.program import DEMO_MIN_CORRELATION
from wzp_cli.events import PathName

__all__ = ["DemoCall", "DemoReport", "path_problems", "sound_problems"]


@dataclass(frozen=True, slots=True)
class DemoCall:
    """One call, seen from the caller and heard at the listener.

    Attributes:
        path: Which way the sound went at the end.
        remote: Where the caller sent it then.
        setup_ms: From the start of the call to the answer.
        first_audio_ms: From the answer to the first sound played.
        time_to_direct_ms: From the answer until the sound went directly.
        why_not_direct: Why it never did.
        correlation: Likeness of what was heard to what was said, 0 to 1; None where
            only silence was said.
        delay_ms: From source to sink, the frame's 20 ms included; None: nothing fits.
        sent: Frames that the caller sent.
        received: Frames that arrived.
        concealed: Frames made up in place of lost or late ones.
    """

    path: PathName
    remote: str
    setup_ms: float | None
    first_audio_ms: float | None
    time_to_direct_ms: float | None
    why_not_direct: str | None
    correlation: float | None
    delay_ms: float | None
    sent: int
    received: int
    concealed: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was shown.

    Attributes:
        codec: Its name; None where no call was answered.
        listener: The listener's one socket, as the relay sees it.
        over_relay: The call that stays on the relay; None where it failed.
        direct: The call that goes direct; None where it failed.
        relay_datagrams: How many datagrams the relay passed on in the first call.
        relay_read_sound: Whether any of them had sound that the relay could read.
        problems: What did not hold, in sentences; [] is a success.
    """

    codec: str | None
    listener: str | None
    over_relay: DemoCall | None
    direct: DemoCall | None
    relay_datagrams: int
    relay_read_sound: bool | None
    problems: list[str]


def sound_problems(name: str, call: DemoCall) -> list[str]:
    """Say what kept the sound sent `name` from being heard; [] if nothing."""
    if call.correlation is None:
        return [f"only silence was sent {name}: there is nothing to compare"]
    if call.correlation >= DEMO_MIN_CORRELATION:
        return []
    return [
        f"sound sent {name} was not heard as it was sent: "
        f"correlation {call.correlation:.2f}, {DEMO_MIN_CORRELATION} is the least; "
        f"{call.received} of {call.sent} frames arrived, {call.concealed} were made up"
    ]


def path_problems(call: DemoCall, listener: str | None) -> list[str]:
    """Say why `call` did not go straight to `listener`; [] if it did."""
    if call.path != "direct":
        why = call.why_not_direct or "the direct route was lost again"
        return [f"the second call did not go direct: {why}"]
    if call.remote != listener:
        return [f"the direct call went to {call.remote}, the relay saw {listener}"]
    return []
