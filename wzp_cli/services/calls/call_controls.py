"""What may be done during a call: mute, hold, push-to-talk, hang up.

    controls.mute()                      nothing of the microphone leaves
    controls.hold()                      nor is anything heard; the peer is told
    controls.talk(); .talk(False)        our voice leaves only between press and release
    controls.hang_up()

Whoever shows the call, or takes orders from outside, is given the object when the call
is answered (`TalkSettings.on_controls`), and uses it on the event loop. Silence goes
out in place of what is held back: as many packets, of the same size, as always.
"""

from collections.abc import Callable
from typing import Final

from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.events import Held, Muted, Report
from wzp_cli.ports import FrameSink, FrameSource, Recording

__all__ = ["CallControls", "HeardSink", "SpokenSource"]

_SILENCE: Final = bytes(MEDIA_FRAME_BYTES)


class CallControls:
    """The switches of one call. Setting what is set already does nothing.

    Attributes:
        muted: Whether our voice is held back, by `mute` or because nobody presses.
        held, held_by_peer: Who has put the call on hold; it may be both.
    """

    def __init__(
        self,
        report: Report,
        *,
        tell_peer: Callable[[bool], None] = lambda held: None,
        hang_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Take whom to tell what has changed, and what ends the call."""
        self.muted = self.held = self.held_by_peer = False
        self.hang_up = hang_up
        self._report = report
        self._tell_peer = tell_peer
        self._switched_off = self._push_to_talk = self._pressed = False
        self._told = Muted(muted=False)

    @property
    def speaks(self) -> bool:
        """Whether our voice leaves."""
        return not (self.muted or self.held or self.held_by_peer)

    @property
    def hears(self) -> bool:
        """Whether the peer's voice is played."""
        return not (self.held or self.held_by_peer)

    def mute(self, on: bool = True) -> None:
        """Hold our voice back, whatever is pressed; or no longer."""
        self._switched_off = on
        self._settle_voice()

    def push_to_talk(self, on: bool = True) -> None:
        """Let our voice out only while somebody presses; or always again."""
        self._push_to_talk, self._pressed = on, False
        self._settle_voice()

    def press(self, on: bool = True) -> None:
        """Press the key of push-to-talk, or release it."""
        self._pressed = on
        self._settle_voice()

    def switch_mute(self, on: bool | None) -> None:
        """Mute, or no longer, as a person says it: that ends push-to-talk.

        None: the other way; out of push-to-talk that is to be heard.
        """
        pushed = self._push_to_talk
        self._push_to_talk = self._pressed = False
        self.mute(not (self.muted or pushed) if on is None else on)

    def talk(self, on: bool | None = True) -> None:
        """Press push-to-talk's key, or release it; the first time begins that.

        None: the other way.
        """
        if not self._push_to_talk:
            self._switched_off = False
            self.push_to_talk()
        self.press(not self._pressed if on is None else on)

    def hold(self, on: bool = True) -> None:
        """Put the call on hold, or resume it; the peer is told."""
        if on != self.held:
            self.held = on
            self._tell_peer(on)
            self._report(Held(held=on, by="local"))

    def peer_holds(self, on: bool) -> None:
        """The peer has put the call on hold, or resumes it."""
        if on != self.held_by_peer:
            self.held_by_peer = on
            self._report(Held(held=on, by="peer"))

    @property
    def pushes_to_talk(self) -> bool:
        """Whether our voice leaves only while somebody presses."""
        return self._push_to_talk

    def _settle_voice(self) -> None:
        muted = self._switched_off or (self._push_to_talk and not self._pressed)
        self.muted = muted
        now = Muted(muted=muted, push_to_talk=self._push_to_talk)
        if now != self._told:
            self._told = now
            self._report(now)


class SpokenSource:
    """A source as the peer may hear it; that, and no more, is recorded."""

    def __init__(
        self, source: FrameSource, controls: CallControls, recording: Recording
    ) -> None:
        self._source = source
        self._controls = controls
        self._recording = recording

    async def read(self) -> bytes | None:
        """Return the next 20 ms, or as much silence; None at the end."""
        pcm = await self._source.read()
        if pcm is None:
            return None
        if not self._controls.speaks:
            pcm = _SILENCE
        self._recording.said(pcm)
        return pcm


class HeardSink:
    """A sink that plays, and records, the peer's voice unless the call is on hold."""

    def __init__(
        self, sink: FrameSink, controls: CallControls, recording: Recording
    ) -> None:
        self.wanted = sink.wanted
        self._sink = sink
        self._controls = controls
        self._recording = recording

    def write(self, pcm: bytes) -> None:
        """Play 20 ms, or as much silence."""
        if not self._controls.hears:
            pcm = _SILENCE
        self._recording.heard(pcm)
        self._sink.write(pcm)
