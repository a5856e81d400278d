"""Calls through coturn: beside the relay's channel, and on when that is gone."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.program import Program, Stage
from tests.netlab.shown import Watch, privacy, readable
from tests.netlab.turn_server import turn_server
from tests.support.certificates import Authority
from tests.support.turn_server import SECRET
from wzp_cli.address import Address

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
NO_DIRECT_WAY = ("symmetric-random", "symmetric-random")


def turn_words(stage: Stage, secret: str = SECRET) -> tuple[str, ...]:
    """What a relay is told of the TURN server on r2."""
    path = stage.file("turn-secret")
    path.write_text(secret + "\n")
    path.chmod(0o600)
    host = stage.lab.host("r2").address
    return ("--turn", host, "--turn-secret-file", str(path))


def call(stage: Stage, *words: str) -> tuple[Program, Program]:
    """A call under way: caller and listener."""
    listening = stage.listen("b", *SOUND)
    calling = stage.call("a", "b", *SOUND, *words)
    for side in (calling, listening):
        side.wait_for("stats", path="relay")
    return calling, listening


def test_a_call_goes_on_through_turn_when_its_relay_dies(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab(*NO_DIRECT_WAY), tmp_path)
    relay = stage.relay("r1", *turn_words(stage))
    turn = stage.lab.host("r2").address
    with turn_server(stage.lab.host("r2"), tmp_path / "turn"):
        calling, listening = call(stage, "--duration", "14s")
        for side in (calling, listening):
            tried = side.wait_for("path.tried", address=f"turn {turn}:3478")
            assert tried["answered"] is True
        relay.kill()
        for side in (calling, listening):
            side.wait_for("path.changed", path="relay", remote=f"{turn}:3478")
        ended, heard = calling.wait_end(), listening.wait_end()
    for end in (ended, heard):
        assert end["exit"] == 0
        assert Address.parse(end["remote"]).host == turn
        assert end["frames"]["received"] > (14 - 2) * 50
    assert listening.all("hangup", by="peer", reason="time is up")


def test_a_wrong_secret_is_told_and_the_call_goes_by_the_channel(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab(*NO_DIRECT_WAY), tmp_path)
    stage.relay("r1", *turn_words(stage, "another-secret"))
    with turn_server(stage.lab.host("r2"), tmp_path / "turn"):
        calling, listening = call(stage, "--duration", "4s")
        for side in (calling, listening):
            warned = side.wait_for("warning", code="turn_unavailable")
            assert "refuses: 401 Unauthorized" in warned["message"]
            end = side.wait_end()
            assert end["exit"] == 0
            assert end["remote"].startswith(stage.lab.host("r1").address)


def test_always_relay_shows_the_peer_no_address_but_the_servers(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """Nor does the server of TURN, or who listens there, learn who calls whom."""
    stage = Stage(make_lab("masquerade-drop", "masquerade-drop"), tmp_path)
    hidden = privacy(stage.file("config.toml"), "always-relay")
    relay = stage.relay("r1", *turn_words(stage))
    turn = stage.lab.host("r2").address
    watch = Watch(stage, ("a", "b"))
    with (
        turn_server(stage.lab.host("r2"), tmp_path / "turn"),
        watch.watching(tmp_path / "seen", "a", "b", "r2", "core"),
    ):
        calling, listening = call(stage, "--duration", "12s", *hidden)
        watch.answered(listening)
        for side in (calling, listening):
            side.wait_for("path.tried", address=f"turn {turn}:3478", answered=True)
        relay.kill()
        ended, heard = calling.wait_end(), listening.wait_end()
    assert Address.parse(ended["remote"]).host == turn
    assert (ended["exit"], heard["exit"]) == (0, 0)
    told = listening.all("candidate", side="remote")
    assert [each["type"] for each in told] == ["relayed"]
    assert Address.parse(told[0]["address"]).host == turn

    assert watch.told("b", of="a") + watch.between("a", "b") + watch.early() == []
    assert watch.told("a", of="b"), "who has not asked to be hidden is not"
    users = {
        str(message["username"])
        for peer in ("a", "b")
        for message in watch.heard[peer]
        if message["type"] == "turn_granted"
    }
    assert len(users) == 2, "a name for each of them, made for this call"
    read_by_all = b"".join(readable(watch.seen["core"]))
    assert all(user.encode() in read_by_all for user in users)
    watch.nobody_is_named(str(relay.all("relay.ready")[0]["id"]))


def test_without_udp_a_call_goes_on_through_turn_over_tls(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """Both networks let TCP alone out; the test is its own authority."""
    stage = Stage(make_lab("udp-blocked", "udp-blocked"), tmp_path)
    host = stage.lab.host("r2")
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue(host.address)
    relay = stage.relay(
        "r1", "--tcp", "[::]:443", *turn_words(stage), "--turn-tls", "443"
    )
    config = stage.file("config.toml")
    config.write_text(f'turn-ca = "{authority.path}"\n')
    words = [f"--cert={certificate}", f"--pkey={key}", "--tls-listening-port=443"]
    with turn_server(host, tmp_path / "turn", *words, by_tcp=True):
        listening = stage.listen("b", *SOUND, "--config", str(config))
        calling = stage.call(
            "a", "b", *SOUND, "--duration", "14s", "--config", str(config)
        )
        for side in (calling, listening):
            side.wait_for("stats", path="relay")
            tried = side.wait_for("path.tried", address=f"turn {host.address}:443/tcp")
            assert tried["answered"] is True
        relay.kill()
        ended, heard = calling.wait_end(), listening.wait_end()
    for end in (ended, heard):
        assert end["exit"] == 0
        assert end["remote"] == f"{host.address}:443/tcp"
        assert end["frames"]["received"] > (14 - 3) * 50
