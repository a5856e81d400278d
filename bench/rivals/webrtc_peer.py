"""An end of a call by aiortc, or by libwebrtc through wrtc, which has aiortc's API.

python webrtc_peer.py --stack aiortc|libwebrtc --role offers|answers --speech WAV ...
"""

import argparse
import asyncio
import fractions
import os
from array import array

import av
from voice_end import (
    FRAME_S,
    FRAME_SAMPLES,
    RATE_HZ,
    Ear,
    Meter,
    Mouth,
    options,
    say,
    told,
    write,
)

SETTLE_S = 30.0


async def main(given: argparse.Namespace) -> None:
    """Connect, speak, listen."""
    if given.stack == "aiortc":
        import aiortc
    else:
        import webrtc.aiortc as aiortc
    meter, ear, over = Meter(lambda: [os.getpid()]), Ear(), asyncio.Event()
    mouth = Mouth(given, meter, over.set)
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    connection.addTrack(_track(aiortc.MediaStreamTrack, mouth))
    tracks: asyncio.Queue[object] = asyncio.Queue()
    connection.on("track", tracks.put_nowait)
    async with asyncio.TaskGroup() as group:
        async with asyncio.timeout(SETTLE_S):
            await _introduce(connection, given.role, aiortc.RTCSessionDescription)
            hearing = asyncio.Event()
            group.create_task(_listen(await tracks.get(), ear, hearing))
            await hearing.wait()
        say(connected=True)
        await _next_word()  # go
        mouth.going = True
        await over.wait()
        figures = meter.figures() | await _inbound(connection)
        say(over=True)
        await _next_word()  # stop
        write(given, ear.sound, ear.times, mouth.times_s, figures)
        os._exit(0)  # neither needs a clean end, and both may take their time for one


async def _next_word() -> dict:
    return await asyncio.get_running_loop().run_in_executor(None, told)


async def _introduce(connection: object, role: str, description: type) -> None:
    if role == "offers":
        await connection.setLocalDescription(await connection.createOffer())
        _tell(connection)
    theirs = (await _next_word())["signal"]
    await connection.setRemoteDescription(description(**theirs))
    if role == "answers":
        await connection.setLocalDescription(await connection.createAnswer())
        _tell(connection)


def _tell(connection: object) -> None:
    local = connection.localDescription  # with all candidates
    say(signal={"sdp": local.sdp, "type": local.type})


def _track(base: type, mouth: Mouth) -> object:
    class Speaking(base):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._number = 0
            self._began = 0.0

        async def recv(self) -> av.AudioFrame:
            loop = asyncio.get_running_loop()
            self._began = self._began or loop.time()
            due = self._began + self._number * FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
            frame.planes[0].update(mouth.next())
            frame.sample_rate = RATE_HZ
            frame.pts = self._number * FRAME_SAMPLES
            frame.time_base = fractions.Fraction(1, RATE_HZ)
            self._number += 1
            return frame

    return Speaking()


async def _listen(track: object, ear: Ear, hearing: asyncio.Event) -> None:
    while True:
        frame = await track.recv()
        assert frame.sample_rate == RATE_HZ, frame.sample_rate
        assert frame.format.name == "s16", frame.format.name
        channels = len(frame.layout.channels)
        pcm = bytes(frame.planes[0])[: frame.samples * channels * 2]
        ear.hear(array("h", pcm)[::channels].tobytes())
        hearing.set()


async def _inbound(connection: object) -> dict[str, float]:
    """What the stack itself says of what it heard; aiortc's API says less than wrtc."""
    if (native := getattr(connection, "_native", None)) is None:
        return {}
    for report in (await native.get_stats()).values():
        if hasattr(report, "concealed_samples"):
            made_up = 100 * report.concealed_samples / report.total_samples_received
            return {"concealed_pct": made_up}
    return {}


if __name__ == "__main__":
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--stack", choices=("aiortc", "libwebrtc"), required=True)
    parser.add_argument("--role", choices=("offers", "answers"), required=True)
    asyncio.run(main(parser.parse_args()))
