"""What a peer, a relay and the network are shown, for each setting: captured.

Two homes behind NATs, a relay, and in between a router that keeps all packets; then the
same over IPv6, and where TCP alone gets out. Who else is on a LAN, and TURN servers:
`test_shown_on_a_lan.py`, `test_turn.py`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.eavesdropper import initials, read_capture, streams
from tests.netlab.program import Program, Stage
from tests.netlab.shown import NAMES, Watch, at_of, privacy
from tests.support.speech import speech, write_wav

pytestmark = pytest.mark.netlab

OURS = (b"wzp.invalid", b"GET /wzp", b"wzp.1\r\n")
"""By which TLS, or what is in it, could be known as wzp's."""
PLACES = ("a", "b", "r1", "core")
TALKS_S = 4.0
TALKS_BRIEFLY_S = 1.5
SETTLES_S = 2.0
"""A call begins cautiously, with smaller packets."""


@dataclass(frozen=True)
class Setting:
    """What was set, and what was done."""

    name: str
    caller: str = "after-answer"
    callee: str = "after-answer"
    contact: str = ""
    act: str = "answered"
    shown: bool = False

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
    Setting("after-answer, given up", act="given up"),
    Setting("caller always-relay, answered", caller="always-relay"),
    Setting("callee always-relay, answered", callee="always-relay"),
    Setting("contact always-relay, answered", contact="--always-relay"),
    Setting("caller blocked", contact="block", act="refused"),
)
OVER_IPV6 = (
    Setting("IPv6, answered", shown=True),
    Setting("IPv6, caller always-relay", "always-relay"),
)


def play(stage: Stage, setting: Setting, folder: Path, at: Sequence[str] = ()) -> Watch:
    """Let it happen, with everybody listening. `at`: the words that name the relay."""
    watch = Watch(stage, ("a", "b"))
    if setting.contact == "block":
        watch.callee.ask("contacts", "block", watch.caller.id)
    elif setting.contact:
        watch.callee.ask("contacts", "add", "alice", watch.caller.id, setting.contact)
    with watch.watching(folder, *PLACES):
        _act(watch, setting, folder, at or stage.at())
    if setting.contact == "block":
        watch.callee.ask("contacts", "unblock", watch.caller.id)
    elif setting.contact:
        watch.callee.ask("contacts", "remove", "alice")
    return watch


def _act(watch: Watch, setting: Setting, folder: Path, at: Sequence[str]) -> None:
    rings = () if setting.act == "answered" else ("--auto-answer", "off")
    words = ("--in", "tone", "--out", "null", *(rings or ("--auto-answer", "all")))
    listening = watch.callee.start(
        "listen", *at, *words, *privacy(folder / "b.toml", setting.callee)
    )
    watch.callee.id = listening.wait_for("ready")["id"]
    said = write_wav(folder / "said.wav", speech(TALKS_BRIEFLY_S))
    sound = ("--in", f"file:{said}", "--out", "null")
    calling = watch.caller.start(
        *("call", watch.callee.id, *at, *sound),
        *privacy(folder / "a.toml", setting.caller),
    )
    if setting.act == "answered":
        watch.answered(listening)
        assert calling.wait_end()["exit"] == 0
    elif setting.act == "refused":
        assert calling.wait_end()["exit"] in (4, 5)
    else:
        listening.wait_for("incoming", name=NAMES[0])
        calling.wait_for("ringing")
        if setting.act == "declined":
            watch.callee.ask("hangup")
        else:
            calling.terminate()
        assert calling.wait_end()["exit"] in (5, 143)
    listening.terminate()
    listening.wait_end()


def test_what_is_shown_to_whom(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    relay = stage.relay()
    table: dict[str, tuple[int, ...]] = {}
    for number, setting in enumerate(SETTINGS):
        watch = play(stage, setting, tmp_path / f"case-{number}")
        _as_promised(watch, setting, relay, table)
    _relay_names_nobody(stage, relay)


def test_over_ipv6(make_lab: MakeLab, tmp_path: Path) -> None:
    """Addresses of both families, and a relay that is reached by IPv6."""
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop", ipv6=True), tmp_path)
    relay = stage.relay()
    (server,) = stage.lab.host("r1").addresses_v6
    table: dict[str, tuple[int, ...]] = {}
    for number, setting in enumerate(OVER_IPV6):
        folder = tmp_path / f"case-{number}"
        watch = play(stage, setting, folder, ("--relay", f"[{server}]"))
        _as_promised(watch, setting, relay, table)
        ways = {each.source for each in watch.seen["core"] if server == each.to}
        assert len(ways) == 2, "both of them came by IPv6"
    _relay_names_nobody(stage, relay)


def test_through_tcp(make_lab: MakeLab, tmp_path: Path) -> None:
    """The network sees TLS to the relay, and nothing else at all."""
    stage = Stage(make_lab("udp-blocked", "udp-blocked"), tmp_path)
    relay = stage.relay("r1", "--tcp", "[::]:443")
    setting = Setting("answered, TCP")
    watch = play(stage, setting, tmp_path / "case")
    server = stage.lab.host("r1").address
    seen = watch.seen["core"]
    ends = {(each.source, each.source_port) for each in seen if each.to != server}
    ends |= {(each.to, each.to_port) for each in seen if each.source != server}
    assert ends == {(server, 443)}
    assert all(each.is_tcp for each in seen)
    assert watch.between("a", "b") == []
    assert watch.early() == []
    for said in streams(seen).values():
        assert said[:2] == b"\x16\x03", "each begins with a TLS handshake"
        assert not {each for each in OURS if each in said}
    watch.nobody_is_named(_id_of(relay))
    _relay_names_nobody(stage, relay)


def _as_promised(
    watch: Watch,
    setting: Setting,
    relay: Program,
    table: dict[str, tuple[int, ...]],
) -> None:
    """A call shows what its setting says, when it says it; `table`: all so far."""
    told = {host: watch.told(host, of=of) for host, of in (("a", "b"), ("b", "a"))}
    packets = watch.between("a", "b")
    table[setting.name] = (len(told["a"]), len(told["b"]), len(packets))
    assert not watch.early(), (setting, table)
    assert bool(packets) is setting.shown, (setting, table)
    for host in setting.told_nothing:
        assert told[host] == [], (setting, host, table)
    if setting.shown:
        assert told["a"], "else nothing would have been noticed at all"
        assert told["b"]
    watch.nobody_is_named(_id_of(relay))
    opened = initials(watch.seen["core"])
    assert len(opened) >= 4, "both links, both ways, at the least"
    text = b"\n".join(opened)
    assert b"wzp.invalid" in text  # so they were read
    for address in watch.addresses("r1"):
        assert address.encode() not in text


def _relay_names_nobody(stage: Stage, relay: Program) -> None:
    """Nor does the relay's operator read who its clients are, or where."""
    said = json.dumps(relay.events) + relay.talk()
    for host, name in zip(("a", "b"), NAMES, strict=True):
        machine = stage.lab.host(host)
        who = {stage.user(host).id, name, machine.public, *machine.addresses_v6}
        assert not {each for each in who if each in said}


def _id_of(relay: Program) -> str:
    return str(relay.all("relay.ready")[0]["id"])


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
        relayed = privacy(folder / "a.toml", "always-relay")
        listening = stage.user("b").start(
            "listen", *stage.at(), "--auto-answer", "all", "--once", *quiet
        )
        callee = listening.wait_for("ready")["id"]
        with stage.lab.host("a").capture(folder / "a.pcap"):
            calling = stage.user("a").start(
                *("call", callee, *stage.at(), "--in", source, "--out", "null"),
                *("--duration", f"{TALKS_S}s", *relayed),
            )
            began = at_of(calling, "media.started")
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
