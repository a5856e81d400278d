"""An end of a call by a program that takes and gives raw sound through pipes.

    python pipe_peer.py --speech WAV ... -- wzp call PEER --in - --out -

The program's events (`--events fd:N`) are passed on. It is fed from `answered` on, each
20 ms, and what it gives is taken at once.
"""

import argparse
import json
import os
import signal
import subprocess
import threading
import time

from voice_end import FRAME_BYTES, FRAME_S, Ear, Meter, Mouth, options, say, told, write

FED_FROM = "answered"
END_S = 10.0


def main() -> None:
    """Run the program, speak, listen, and end it."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    news, to_us = os.pipe()
    process = subprocess.Popen(
        [*given.command, "--events", f"fd:{to_us}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(to_us,),
    )
    os.close(to_us)
    say(runs=process.pid)
    meter, ear = Meter(lambda: [process.pid]), Ear()
    mouth = Mouth(given, meter, lambda: say(over=True))
    answered = threading.Event()
    threads = [
        threading.Thread(target=_pass_on, args=(news, answered)),
        threading.Thread(target=_listen, args=(process, ear), daemon=True),
        threading.Thread(target=_speak, args=(process, mouth, answered), daemon=True),
    ]
    for thread in threads:
        thread.start()
    while "stop" not in (word := told()):
        mouth.going = mouth.going or "go" in word
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
    threads[0].join(END_S)
    write(given, ear.sound, ear.times, mouth.times_s, meter.figures())


def _pass_on(news: int, answered: threading.Event) -> None:
    with open(news) as lines:
        for line in lines:
            event = json.loads(line)
            say(event=event)
            if event["event"] == FED_FROM:
                answered.set()


def _speak(process: subprocess.Popen, mouth: Mouth, answered: threading.Event) -> None:
    answered.wait()
    due = time.monotonic()
    try:
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            due += FRAME_S
            process.stdin.write(mouth.next())
            process.stdin.flush()
    except OSError:
        return  # it has ended


def _listen(process: subprocess.Popen, ear: Ear) -> None:
    while pcm := process.stdout.read(FRAME_BYTES):
        ear.hear(pcm)


if __name__ == "__main__":
    main()
