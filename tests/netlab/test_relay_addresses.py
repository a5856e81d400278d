"""A relay with several addresses answers, and forwards, from the one that was asked."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.program import Stage

pytestmark = pytest.mark.netlab


def test_two_clients_each_at_another_address_of_one_relay(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    # Random ports on both sides: every frame of sound has to go through the relay.
    stage = Stage(make_lab("fully-random", "fully-random"), tmp_path)
    stage.relay("r3")
    first, second = stage.lab.host("r3").addresses
    callee, caller = stage.user("b"), stage.user("a")
    sound = ("--in", "tone", "--out", "null")
    listener = callee.start(
        "listen", "--relay", first, "--auto-answer", "all", "--once", *sound
    )
    peer = listener.wait_for("ready")["id"]
    call = caller.start("call", peer, "--relay", second, "--duration", "3s", *sound)
    for end in (call.wait_end(), listener.wait_end()):
        assert end["path"] == "relay"
        assert end["frames"]["received"] > 100
