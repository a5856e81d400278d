"""What a peer, a relay and the network are shown, for each setting: captured.

Two homes behind NATs, a relay, and in between a router that keeps all packets. Both
peers keep every message that they could decrypt (`tests/support/nosy.py`).
WZP_TESTS_FAULTS=all tries every setting of docs/robustness.md, without it some.
"""

import json
import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.eavesdropper import (
    Seen,
    identity_spellings,
    initials,
    read_capture,
    unframed,
)
from tests.netlab.program import Program, Stage
from tests.support.speech import speech, write_wav
from wzp_cli.protocol.names.identity import Identity

pytestmark = pytest.mark.netlab

NOSY = "tests.support.nosy"
NAMES = {"a": "Älice Liddell", "b": "Bob Cratchit-Ω"}
PLACES = ("a", "b", "r1", "core")
RINGS_S = 1.0
TALKS_S = 4.0
SETTLES_S = 2.0
"""A call begins cautiously, with smaller packets."""
CLOCKS_APART_S = 0.05
"""Between a program's event and the capture of what it did."""


@dataclass(frozen=True)
class Setting:
    """What was set, and what was done."""

    name: str
    caller: str = "after-answer"
    callee: str = "after-answer"
    contact: str = ""
    act: str = "answered"
    shown: bool = False
    short: bool = True

    @property
    def told_nothing(self) -> set[str]:
        """Who of both hears no address of the other's."""
        if self.act != "answered":
            return {"a", "b"}
        keeps = {"a": self.callee == "always-relay" or self.contact != ""}
        keeps["b"] = self.caller == "always-relay"
        return {host for host, kept in keeps.items() if kept}


SETTINGS = (
    Setting("after-answer, answered", shown=True),
    Setting("after-answer, declined", act="declined"),
    Setting("after-answer, given up", act="given up", short=False),
    Setting("caller always-relay, answered", caller="always-relay"),
    Setting("callee always-relay, answered", callee="always-relay", short=False),
    Setting("contact always-relay, answered", contact="--always-relay", short=False),
    Setting("caller blocked", contact="block", act="refused"),
)
TRIED = [
    each
    for each in SETTINGS
    if each.short or os.environ.get("WZP_TESTS_FAULTS") == "all"
]


@dataclass
class Shown:
    """All that was seen of one call, by place, and when it was answered."""

    stage: Stage
    seen: dict[str, list[Seen]]
    heard: dict[str, list[dict[str, object]]]
    answered_at: float

    def addresses(self, host: str) -> set[str]:
        """Where somebody is: at home, and as the world sees it."""
        machine = self.stage.lab.host(host)
        return {*machine.addresses, machine.public}

    def told(self, host: str, *, of: str) -> list[float]:
        """Return when messages with an address of the other's came to a peer."""
        return [
            float(str(message["at"]))
            for message in self.heard[host]
            if any(each in json.dumps(message) for each in self.addresses(of))
        ]

    def packets(self) -> list[float]:
        """Return when packets were on their way from home to home."""
        ends = {self.stage.lab.host(host).public for host in ("a", "b")}
        return [each.at for each in self.seen["core"] if {each.source, each.to} == ends]


def play(stage: Stage, setting: Setting, folder: Path) -> Shown:
    """Let it happen, with everybody listening."""
    folder.mkdir()
    users = {}
    for host in ("a", "b"):
        users[host] = stage.user(host, name=NAMES[host], module=NOSY)
        (users[host].state / "heard.jsonl").unlink(missing_ok=True)
    caller, callee = users["a"], users["b"]
    if setting.contact == "block":
        callee.ask("contacts", "block", caller.id)
    elif setting.contact:
        callee.ask("contacts", "add", "alice", caller.id, setting.contact)
    said = write_wav(folder / "said.wav", speech(TALKS_S))
    with ExitStack() as stack:
        captures = {
            place: stack.enter_context(
                stage.lab.host(place).capture(folder / f"{place}.pcap")
            )
            for place in PLACES
        }
        answered_at = _act(stage, setting, folder, said)
    assert not any(capture.lost for capture in captures.values())
    if setting.contact == "block":
        callee.ask("contacts", "unblock", caller.id)
    elif setting.contact:
        callee.ask("contacts", "remove", "alice")
    return Shown(
        stage,
        {place: read_capture(folder / f"{place}.pcap") for place in PLACES},
        {host: _lines(user.state / "heard.jsonl") for host, user in users.items()},
        answered_at,
    )


def _act(stage: Stage, setting: Setting, folder: Path, said: Path) -> float:
    """Call; return when it was answered, or never."""
    callee = stage.user("b")
    rings = () if setting.act == "answered" else ("--auto-answer", "off")
    words = ("--in", "tone", "--out", "null", *(rings or ("--auto-answer", "all")))
    listening = callee.start(
        "listen", *stage.at(), *words, *_privacy(folder / "b.toml", setting.callee)
    )
    callee.id = listening.wait_for("ready")["id"]
    # The first half of the call is silent: a file that ends, and then nothing.
    sound = ("--in", f"file:{said}", "--out", "null")
    calling = stage.user("a").start(
        *("call", callee.id, *stage.at(), *sound),
        *_privacy(folder / "a.toml", setting.caller),
    )
    answered_at = float("inf")
    if setting.act == "answered":
        answered_at = _at(listening, "answered")
        assert calling.wait_end()["exit"] == 0
    elif setting.act == "refused":
        assert calling.wait_end()["exit"] in (4, 5)
    else:
        listening.wait_for("incoming", name=NAMES["a"])
        calling.wait_for("ringing")
        if setting.act == "declined":
            callee.ask("hangup")
        else:
            calling.terminate()
        assert calling.wait_end()["exit"] in (5, 143)
    listening.terminate()
    listening.wait_end()
    return answered_at


def _privacy(path: Path, setting: str) -> list[str]:
    path.write_text(f'privacy = "{setting}"\n')
    return ["--config", str(path)]


def _at(program: Program, event: str) -> float:
    told: str = program.wait_for(event)["ts"]
    return datetime.fromisoformat(told).timestamp() - CLOCKS_APART_S


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_what_is_shown_to_whom(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    relay = stage.relay()
    table = {}
    for number, setting in enumerate(TRIED):
        shown = play(stage, setting, tmp_path / f"case-{number}")
        told = {host: shown.told(host, of=of) for host, of in (("a", "b"), ("b", "a"))}
        packets = shown.packets()
        table[setting.name] = (len(told["a"]), len(told["b"]), len(packets))
        early = [at for at in (*told["a"], *told["b"], *packets)
                 if at < shown.answered_at]  # fmt: skip
        assert not early, (setting, table)
        assert bool(packets) is setting.shown, (setting, table)
        for host in setting.told_nothing:
            assert told[host] == [], (setting, host, table)
        if setting.shown:
            assert told["a"], "else nothing would have been noticed at all"
            assert told["b"]
        _nobody_is_named(shown)
    told_by_relay = json.dumps(relay.events) + relay.talk()
    for host in ("a", "b"):
        who = {stage.user(host).id, NAMES[host], stage.lab.host(host).public}
        assert not {each for each in who if each in told_by_relay}


def _nobody_is_named(shown: Shown) -> None:
    """No capture has an identity, a name or a host name; nor Initials, read by all."""
    secrets = [name.encode() for name in NAMES.values()]
    for host in ("a", "b", "r1"):
        identity = Identity.parse(
            shown.stage.user(host).id
            if host != "r1"
            else shown.stage.user(host).ask("relay", "status").result["id"]
        )
        secrets += identity_spellings(identity)
    for place, datagrams in shown.seen.items():
        everything = b"\n".join(unframed(datagrams))
        assert everything
        assert [each for each in secrets if each in everything] == [], place
    opened = initials(shown.seen["core"])
    assert len(opened) >= 4, "both links, both ways, at the least"
    readable = b"\n".join(opened)
    assert b"wzp.invalid" in readable  # so they were read
    assert [each for each in secrets if each in readable] == []
    assert shown.stage.lab.host("r1").address.encode() not in readable


def test_speech_and_silence_look_alike(make_lab: MakeLab, tmp_path: Path) -> None:
    """Sizes and number of packets on a call that stays on the relay."""
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    stage.relay()
    said = write_wav(tmp_path / "said.wav", speech(TALKS_S))
    shares = []
    for source in (f"file:{said}", "null"):
        folder = tmp_path / source[:4]
        folder.mkdir()
        quiet = ("--in", "null", "--out", "null")
        relayed = _privacy(folder / "a.toml", "always-relay")
        listening = stage.user("b").start(
            "listen", *stage.at(), "--auto-answer", "all", "--once", *quiet
        )
        callee = listening.wait_for("ready")["id"]
        with stage.lab.host("a").capture(folder / "a.pcap"):
            calling = stage.user("a").start(
                *("call", callee, *stage.at(), "--in", source, "--out", "null"),
                *("--duration", f"{TALKS_S}s", *relayed),
            )
            began = _at(calling, "media.started")
            end = calling.wait_end()
        listening.wait_end()
        assert end["exit"] == 0
        home = stage.lab.host("a").address
        settled = began + SETTLES_S
        sizes = Counter(
            len(each.payload)
            for each in read_capture(folder / "a.pcap")
            if each.source == home and each.payload[:1] == b"\x08" and each.at > settled
        )
        shares.append(sizes)
    speaking, silent = (sizes.most_common(1)[0] for sizes in shares)
    assert speaking[0] == silent[0], shares
    assert min(speaking[1], silent[1]) > 10, shares
