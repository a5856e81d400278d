"""What a neighbour on the LAN is shown: captured by one who may read all that passes.

Three machines on one bridge: two that call each other, and one that looks on. The
bridge is the router's, whose capture is what a switch or an access point sees.
"""

import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.eavesdropper import Seen, identity_spellings
from tests.netlab.lab import SiteSpec
from tests.netlab.program import Program, Stage
from tests.netlab.shown import NAMES, Watch, privacy
from wzp_cli.protocol.names.identity import Identity

pytestmark = pytest.mark.netlab

CALLER, CALLEE, NEIGHBOUR, SWITCH = "a", "a2", "a3", "a-nat1"
SOUND = ("--in", "tone", "--out", "null")
TAKES_ALL = ("--auto-answer", "all", "--once", *SOUND)
BRIEFLY = ("--duration", "1s")
TO_ALL = ("224.", "239.", "255.", "ff")
MULTICAST_DNS_PORT = 5353
SEARCH_FOR_A_ROUTER = (
    b"M-SEARCH * HTTP/1.1\r\n"
    b"HOST:239.255.255.250:1900\r\n"
    b'MAN:"ssdp:discover"\r\n'
    b"MX:1\r\n"
    b"ST:urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
)
"""What any program asks that wants a port of a router's."""


@pytest.fixture
def watch(make_lab: MakeLab, tmp_path: Path) -> Watch:
    lab = make_lab(SiteSpec("a", "masquerade-drop", hosts=3))
    return Watch(Stage(lab, tmp_path), (CALLER, CALLEE))


def dial(watch: Watch, listening: Program) -> Program:
    """The neighbour tries the port: who is there?"""
    where = watch.stage.lab.host(CALLEE).address
    port = listening.all("bound")[0]["port"]
    dialler = watch.stage.user(NEIGHBOUR)
    return dialler.start("ping", f"{where}:{port}", "--count", "1", "--no-portmap")


def call(watch: Watch, listening: Program, callee: str, *words: str) -> None:
    """A short call, from before it rings to its end."""
    calling = watch.caller.start("call", callee, *SOUND, *BRIEFLY, *words)
    watch.answered(listening)
    for side in (calling, listening):
        assert side.wait_end()["exit"] == 0, side.transcript()


def to_all(watch: Watch, sender: str) -> list[Seen]:
    """What a machine has said to everybody on the LAN, as the neighbour got it."""
    ours = watch.addresses(sender)
    seen = watch.seen[NEIGHBOUR]
    return [each for each in seen if each.source in ours and each.to.startswith(TO_ALL)]


def spellings(*identities: str) -> list[bytes]:
    return [
        each
        for identity in identities
        for each in identity_spellings(Identity.parse(identity))
    ]


def named(wanted: Iterable[bytes], said: Iterable[Seen]) -> list[bytes]:
    everything = b"\n".join(each.payload for each in said)
    return [each for each in wanted if each in everything]


def test_by_a_relay_a_lan_is_told_nothing(watch: Watch, tmp_path: Path) -> None:
    """Neither by a listener, whose port answers nobody there, nor by who calls it."""
    stage = watch.stage
    relay = stage.relay()
    with watch.watching(tmp_path / "off", NEIGHBOUR, SWITCH):
        listening = watch.callee.start(
            "listen", *stage.at(), "--direct", "off", *TAKES_ALL
        )
        watch.callee.id = listening.wait_for("ready")["id"]
        dialling = dial(watch, listening)
        call(watch, listening, watch.callee.id, *stage.at())
    assert not dialling.all("ping")
    assert watch.between(NEIGHBOUR, CALLEE, at=SWITCH), "it did dial"
    heard = [each for each in watch.seen[NEIGHBOUR] if each.to[:3] == "10."]
    assert [each for each in heard if each.source in watch.addresses(CALLEE)] == []
    for sender in (CALLER, CALLEE):
        said = {each.payload for each in to_all(watch, sender)}
        assert said <= {SEARCH_FOR_A_ROUTER}, said
    assert watch.between(CALLER, CALLEE, at=SWITCH), "a direct call, after the answer"
    assert watch.told(CALLER, of=CALLEE)
    assert watch.told(CALLEE, of=CALLER)
    assert watch.early(at=SWITCH) == []
    watch.nobody_is_named(str(relay.all("relay.ready")[0]["id"]))


def test_always_by_relay_holds_on_a_lan(watch: Watch, tmp_path: Path) -> None:
    """Nothing passes from one to the other, nor does either ask for a router."""
    stage = watch.stage
    stage.relay()
    hidden = privacy(tmp_path / "hidden.toml", "always-relay")
    with watch.watching(tmp_path / "hidden", NEIGHBOUR, SWITCH):
        listening = watch.callee.start("listen", *stage.at(), *TAKES_ALL, *hidden)
        watch.callee.id = listening.wait_for("ready")["id"]
        call(watch, listening, watch.callee.id, *stage.at(), *hidden)
    assert watch.between(CALLER, CALLEE, at=SWITCH) == []
    assert watch.told(CALLER, of=CALLEE) + watch.told(CALLEE, of=CALLER) == []
    assert to_all(watch, CALLER) + to_all(watch, CALLEE) == []
    assert watch.between(CALLER, "r1", at=SWITCH), "it did call"


def test_an_announcement_is_read_by_all_and_taken_back(
    watch: Watch, tmp_path: Path
) -> None:
    """Identity, name, address and port of `listen --lan`; nothing of who calls it."""
    zeroconf = pytest.importorskip("zeroconf", reason="lan: wzp[lan] is not here")
    with watch.watching(tmp_path / "lan", NEIGHBOUR, SWITCH):
        listening = watch.callee.start(
            *("listen", "--lan", "--relay", "5.0.1.2", "--timeout", "300ms"), *TAKES_ALL
        )
        watch.callee.id = listening.wait_for("ready")["id"]
        listening.wait_for("lan.announced")
        dialling = dial(watch, listening)
        call(watch, listening, f"{watch.callee.id}@lan")
    assert dialling.wait_end()["peer"] == watch.callee.id, "whoever dials is shown it"

    records = [
        record
        for each in to_all(watch, CALLEE)
        if each.to_port == MULTICAST_DNS_PORT
        for record in zeroconf.DNSIncoming(each.payload).answers()
    ]
    texts = {each.text for each in records if isinstance(each, zeroconf.DNSText)}
    (text,) = texts
    assert watch.callee.id.encode() in text
    assert NAMES[1].encode() in text
    addresses = {r.address for r in records if isinstance(r, zeroconf.DNSAddress)}
    where = watch.stage.lab.host(CALLEE).address
    assert {socket.inet_ntoa(each) for each in addresses} == {where}
    services = [each for each in records if isinstance(each, zeroconf.DNSService)]
    assert {each.port for each in services} == {listening.all("bound")[0]["port"]}
    labels = {label for each in records for label in each.name.split(".")}
    assert socket.gethostname().partition(".")[0] not in labels
    assert {each.ttl for each in records[-5:]} == {0}, "taken back at the end"

    asked = to_all(watch, CALLER)
    assert any(each.to_port == MULTICAST_DNS_PORT for each in asked)
    names = [name.encode() for name in NAMES]
    secrets = [*names, *spellings(watch.caller.id)]
    assert named([*secrets, watch.callee.id.encode()], asked) == []
    # But for what was said to all, nothing on the wire names either of them.
    for place in watch.seen:
        watch.seen[place] = [
            each for each in watch.seen[place] if not each.to.startswith(TO_ALL)
        ]
    del watch.seen[NEIGHBOUR]
    watch.nobody_is_named()
    assert [at for at in watch.told(CALLER, of=CALLEE) if at < watch.answered_at] == []
    assert [at for at in watch.told(CALLEE, of=CALLER) if at < watch.answered_at] == []
