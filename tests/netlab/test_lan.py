"""One bridge, no relay, no way out: who is there is found by name, and called."""

from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.netlab.conftest import MakeLab
from tests.netlab.lab import SiteSpec
from tests.netlab.program import Stage
from tests.support.requirements import require
from wzp_cli.adapters.lan import need_zeroconf
from wzp_cli.errors import EnvironmentFault
from wzp_cli.protocol.names.identity import Keypair

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")

IMPOSTOR = """
import asyncio, sys
from wzp_cli.adapters.interfaces import interface_addresses
from wzp_cli.adapters.lan import announced
from wzp_cli.protocol.names.identity import Identity

async def main():
    told = asyncio.Queue()
    identity, port = Identity.parse(sys.argv[1]), int(sys.argv[2])
    async with announced(identity, "Bob", port, interface_addresses, told.put_nowait):
        print(await told.get(), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _with_zeroconf() -> None:
    try:
        need_zeroconf()
    except EnvironmentFault as error:
        require("lan", str(error))


def test_a_call_on_a_lan_without_relay_or_internet(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab(SiteSpec("a", "masquerade-drop", hosts=2))
    router = lab.host("a-nat1")
    assert router.run(["ip", "link", "set", "wan", "down"]).returncode == 0
    stage = Stage(lab, tmp_path)
    alice, bob = stage.user("a"), stage.user("a2", name="Bob")
    unreached = ("--relay", "5.0.1.2", "--timeout", "500ms")
    listening = bob.start(
        *("listen", "--lan", "--auto-answer", "all", "--once", "--no-portmap"),
        *(*unreached, *SOUND),
    )
    ready = listening.wait_for("ready")
    where = listening.wait_for("lan.announced")
    assert where["addresses"] == list(lab.host("a2").addresses)
    codes = [event["code"] for event in listening.all("warning")]
    assert codes == ["relay_unreachable", "no_relay"], "it goes on without"
    assert "relay=" not in ready["ticket"]

    seen = alice.ask("lan")
    fits(seen.document, "lan.json")
    (one,) = seen.result["neighbours"]
    address = f"{where['addresses'][0]}:{listening.all('bound')[0]['port']}"
    assert (one["id"], one["name"], one["contact"]) == (ready["id"], "Bob", None)
    assert one["addresses"] == [address]

    # A name is nobody's: not even where there is one Bob alone.
    assert alice.ask("contacts", "add", "Bob", "bob@lan").exit == 2
    added = alice.ask("contacts", "add", "Bob", f"{one['short']}@lan")
    assert added.result["contact"]["id"] == ready["id"]
    calling = alice.start("call", "bob@lan", *SOUND, "--duration", "1s", "--no-portmap")
    end = calling.wait_end()
    assert (end["exit"], end["path"]) == (0, "direct"), calling.transcript()
    assert end["remote"] == address
    assert listening.wait_end()["exit"] == 0


def test_a_relay_that_answers_later_is_registered_at(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab("masquerade-drop", "open")
    stage = Stage(lab, tmp_path)
    listening = stage.user("a").start(
        *("listen", "--lan", "--auto-answer", "all", "--once", "--no-portmap"),
        *(*stage.at(), "--timeout", "500ms", *SOUND),
    )
    listening.wait_for("lan.announced")
    assert "relay=" not in listening.wait_for("ready")["ticket"]
    (warned,) = listening.all("warning", code="no_relay")
    assert warned["message"].endswith("answers; it is called again")
    stage.relay()
    listening.wait_for("registered", published=True)
    calling = stage.user("b").start(
        *("call", listening.wait_for("hello")["id"], *stage.at()),
        *(*SOUND, "--duration", "1s", "--no-portmap"),
    )
    end = calling.wait_end()
    assert end["exit"] == 0, calling.transcript()
    assert listening.wait_end()["exit"] == 0
    (before, after) = [event["ticket"] for event in listening.all("ready")]
    assert before != after
    assert f"relay={lab.host('r1').address}" in after


def test_a_stranger_replaces_nobody(make_lab: MakeLab, tmp_path: Path) -> None:
    """Whoever announces another's identity is found, dialled, and unmasked."""
    lab = make_lab(SiteSpec("a", "masquerade-drop", hosts=2))
    stage = Stage(lab, tmp_path)
    alice, eve = stage.user("a"), stage.user("a2")
    bob = Keypair.generate().identity
    listening = eve.start("listen", "--auto-answer", "all", *SOUND)
    port = listening.wait_for("bound")["port"]
    script = tmp_path / "impostor.py"
    script.write_text(IMPOSTOR)
    impostor = eve.start_script(script, str(bob), str(port))
    assert alice.ask("contacts", "add", "Bob", str(bob)).exit == 0
    assert impostor.stdout is not None
    assert b"LanAnnounced" in impostor.stdout.readline()

    # Whoever has the internet at home, and none just now: lan = true finds him here.
    alice.set(WZP_LAN="true", WZP_RELAY="5.0.1.2", WZP_TIMEOUT="500ms")
    for words in (["ping", "bob@lan"], ["call", "bob", *SOUND]):
        calling = alice.start(*words, "--no-portmap")
        end = calling.wait_end()
        assert end["exit"] == 6, calling.transcript()
        assert calling.all("error")[0]["code"] == "wrong_peer"
    assert calling.all("warning")[0]["code"] == "relay_unreachable"
    assert not listening.all("incoming"), "nothing was said to her"
