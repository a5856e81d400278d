"""Calls between real processes behind real NATs: direct where NATs allow, else relayed.

The speech that went in must come out at the other side, whatever path it took.
"""

import socket
from itertools import pairwise
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.eavesdropper import read_capture
from tests.netlab.lab import SiteSpec
from tests.netlab.nats import KINDS
from tests.netlab.program import Event, Program, Stage
from tests.support.speech import (
    RATE_HZ,
    aligned_correlation,
    coded_speech,
    heard,
    pesq_wb,
    speech,
    write_wav,
)
from wzp_cli.adapters.sound import open_codec
from wzp_cli.address import Address
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.protocol.names.identity import Identity

pytestmark = pytest.mark.netlab

SPEECH_S = 2.0
LONG_SPEECH_S = 5.0
SAME_SOUND = 0.8
"""Correlation with what the codec makes of the speech: 0.99, less where a busy machine
had frames put in or left out; half lost 0.7, other sound below 0.6."""
GOOD_PESQ = 4.0
UNHARMED = 0.95
"""Correlation with what the codec alone makes of it: 0.99 and more in a good call."""
RELAYED = 0x08
"""The first byte of a relay's frame."""
STANDBY_PACKETS_PER_S = 10
"""Probes and acknowledgements on a route kept warm; a call has 100 and more."""

DIRECT = [
    ("open", "masquerade-drop", 1),
    ("masquerade-drop", "open", 1),
    ("full-cone", "masquerade-drop", 1),
    ("masquerade-drop", "full-cone", 1),
    ("carrier", "masquerade-drop", 1),
    ("masquerade-drop", "carrier", 1),
    ("carrier", "carrier", 1),
    # Routers that accept input: the openers of low TTL must die before they get there,
    # so the core is as long as the internet is.
    ("masquerade-accept", "masquerade-drop", 6),
    ("masquerade-drop", "masquerade-accept", 6),
    ("masquerade-accept", "masquerade-accept", 6),
    ("carrier", "masquerade-accept", 6),
]


def talk(
    stage: Stage, seconds: float, caller: str = "a", callee: str = "b"
) -> tuple[Program, Program]:
    """A whole call with the same speech from both sides; caller and listener, ended."""
    said = write_wav(stage.file("said.wav"), speech(seconds))
    sound = {
        host: ("--in", f"file:{said}", "--out", f"file:{stage.file(host + '.wav')}")
        for host in (caller, callee)
    }
    listening = stage.listen(callee, *sound[callee])
    calling = stage.call(caller, callee, *sound[caller])
    for program in (calling, listening):
        assert program.wait_end()["exit"] == 0, program.transcript()
    return calling, listening


def path_of(program: Program) -> list[str]:
    return [span["path"] for span in program.events[-1]["paths"]]


def likeness(stage: Stage, seconds: float, host: str) -> float:
    """How much a recording is what the codec alone would have made of the speech."""
    recording = heard(stage.file(f"{host}.wav"))
    return aligned_correlation(coded_speech(seconds), recording)


def assert_heard(stage: Stage, seconds: float, *hosts: str) -> None:
    """The speech is in the recordings of these hosts."""
    alike = {host: likeness(stage, seconds, host) for host in hosts}
    assert min(alike.values()) > SAME_SOUND, alike


def test_two_masquerading_routers(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    relay = stage.relay()
    calling, listening = talk(stage, LONG_SPEECH_S)
    direct = [
        program.wait_for("path.changed", path="direct")
        for program in (calling, listening)
    ]
    for program, site in ((calling, "b"), (listening, "a")):
        assert path_of(program) == ["relay", "direct"]
        end = program.events[-1]
        assert Address.parse(end["remote"]).host == stage.lab.site(site).public
        assert end["why_not_direct"] is None
        assert end["frames"]["received"] >= 50 * LONG_SPEECH_S - 5

    final_stats(relay)
    assert max(forwarded_per_s(relay, since=max(event["ts"] for event in direct))) < (
        STANDBY_PACKETS_PER_S
    )
    for host in ("a", "b"):
        quality = pesq_wb(speech(LONG_SPEECH_S), heard(stage.file(f"{host}.wav")))
        # One frame put in within a word, on a busy machine, costs PESQ half a point.
        alike = likeness(stage, LONG_SPEECH_S, host)
        assert quality >= GOOD_PESQ or alike > UNHARMED, (quality, alike)


def final_stats(relay: Program) -> Event:
    """Wait until everybody has left after a call; what the relay has then done."""
    while True:
        stats = relay.wait_for("relay.stats", channels=0, links=0)
        if stats["forwarded_packets"]:
            return stats


def forwarded_per_s(relay: Program, since: str) -> list[float]:
    """Packets that the relay passed on, second by second, after the first whole one."""
    told = relay.all("relay.stats")
    later = [first["ts"] > since for first, _ in pairwise(told)]
    assert any(later)
    return [
        (second["forwarded_packets"] - first["forwarded_packets"])
        / ((second["t_ms"] - first["t_ms"]) / 1000)
        for (first, second), counts in zip(pairwise(told), later, strict=True)
        if counts
    ]


@pytest.mark.parametrize(("caller", "callee", "hops"), DIRECT)
def test_a_pair_that_goes_direct(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str, hops: int
) -> None:
    stage = Stage(make_lab(caller, callee, hops=hops), tmp_path)
    stage.relay()
    calling, listening = talk(stage, SPEECH_S)
    for program, site in ((calling, "b"), (listening, "a")):
        assert path_of(program) == ["relay", "direct"], program.transcript()
        remote = Address.parse(program.events[-1]["remote"])
        assert remote.host == stage.lab.site(site).public
        assert program.events[-1]["time_to_direct_ms"] < SPEECH_S * 1000
    assert_heard(stage, SPEECH_S, "a", "b")


def test_two_hosts_of_one_lan(make_lab: MakeLab, tmp_path: Path) -> None:
    home = SiteSpec("a", KINDS["masquerade-drop"], hosts=2)
    stage = Stage(make_lab(home), tmp_path)
    stage.relay()
    calling, listening = talk(stage, SPEECH_S, "a", "a2")
    for program, other in ((calling, "a2"), (listening, "a")):
        assert path_of(program)[-1] == "direct"
        remote = Address.parse(program.events[-1]["remote"])
        assert remote.host == stage.lab.host(other).address
    assert_heard(stage, SPEECH_S, "a", "a2")


def test_two_random_nats_talk_over_the_relay(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("fully-random", "fully-random"), tmp_path)
    relay = stage.relay()
    calling, listening = talk(stage, SPEECH_S)
    for program, site in ((calling, "b"), (listening, "a")):
        end = program.events[-1]
        assert path_of(program) == ["relay"]
        assert end["time_to_direct_ms"] is None
        assert end["remote"] == f"{stage.lab.host('r1').address}:4433"
        assert f"no answer from {stage.lab.site(site).public}:" in end["why_not_direct"]
    assert_heard(stage, SPEECH_S, "a", "b")
    stats = final_stats(relay)
    sent = [p.events[-1]["frames"]["sent"] for p in (calling, listening)]
    assert stats["forwarded_packets"] >= sum(sent)
    assert stats["dropped"] == {}


def test_where_direct_is_required_a_relayed_call_fails(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab("fully-random", "fully-random"), tmp_path)
    stage.relay()
    listening = stage.listen("b", "--in", "null", "--out", "null")
    words = ("--in", "null", "--out", "null", "--duration", "1s")
    calling = stage.call("a", "b", *words, "--require", "direct")
    end = calling.wait_end()
    assert (end["exit"], end["path"]) == (3, "relay")
    assert calling.all("error", code="requirement")
    assert listening.wait_end()["exit"] == 0


# What a relay can see


def opus_frames(wav: Path) -> list[bytes]:
    """The very frames that a call sends: the codec has no random part."""
    codec, _ = open_codec()
    pcm = wav.read_bytes()[44:]
    beats = range(0, len(pcm) - MEDIA_FRAME_BYTES, MEDIA_FRAME_BYTES)
    return [codec.encode(pcm[at : at + MEDIA_FRAME_BYTES]) for at in beats]


def sound_secrets(wav: Path) -> list[bytes]:
    frames = opus_frames(wav)
    assert frames == opus_frames(wav)
    pcm = wav.read_bytes()[44:]
    loud = [pcm[at : at + 32] for at in range(RATE_HZ, len(pcm) - 32, 960)]
    return [*frames, *(piece for piece in loud if any(piece))]


def user_secrets(stage: Stage, host: str, name: str, ended: Event) -> list[bytes]:
    """What a user of wzp is and where, as text and in binary."""
    identity = Identity.parse(stage.user(host).id)
    addresses = {stage.lab.host(host).address, stage.lab.host(host).public}
    assert ended["peer"]
    return [
        name.encode(),
        str(identity).encode(),
        identity.key,
        identity.key.hex().encode(),
        *(address.encode() for address in addresses),
        *(socket.inet_aton(address) for address in addresses),
    ]


def test_the_relay_sees_no_plaintext(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("fully-random", "fully-random"), tmp_path)
    names = {"a": "Alice Liddell", "b": "Bob Cratchit"}
    for host, name in names.items():
        stage.user(host, name=name)
    capture = stage.file("r1.pcap")
    with stage.lab.host("r1").capture(capture) as captured:
        relay = stage.relay()
        calling, listening = talk(stage, SPEECH_S)
        forwarded = final_stats(relay)["forwarded_packets"]
    assert captured.lost == 0
    assert listening.all("incoming", name=names["a"], peer=stage.user("a").id)
    assert len(calling.all("candidate", side="remote")) == 2

    seen = [each for each in read_capture(capture) if not each.is_tcp]
    host = stage.lab.host("r1").address
    frames = [each for each in seen if each.payload[0] == RELAYED]
    passed_on = [each for each in frames if each.source == host]
    assert len(passed_on) == forwarded, "and each of them was seen"
    assert len(frames) >= 2 * forwarded, "some are late: their channel is closed"
    everything = b"\n".join(each.payload for each in seen)
    secrets = sound_secrets(stage.file("said.wav"))
    for host, name in names.items():
        secrets += user_secrets(stage, host, name, calling.events[-1])
    assert [secret for secret in secrets if secret in everything] == []
