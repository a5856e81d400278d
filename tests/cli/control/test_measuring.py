import asyncio
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session
from wzp_cli.cli.control.measuring import Measuring, measurement
from wzp_cli.cli.settings import Settings
from wzp_cli.defaults.diagnosis import PUBLIC_STUN_SERVERS
from wzp_cli.errors import UsageError
from wzp_cli.events import Bound, Event, Hello, Reflexive
from wzp_cli.protocol.messages.control import AskDetectNat, NamedServer

STUN = HostPort("192.0.2.1", 3478)


def test_whom_to_ask(relay: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame-open-sesame\n")
    token.chmod(0o600)
    settings = Settings(
        relays=(HostPort.parse(relay),),
        stun=(STUN,),
        timeout_s=3.0,
        relay_token_file=token,
    )
    assert measurement(settings, portmap=True, public_stun=False) == AskDetectNat(
        servers=[
            NamedServer(name=relay, kind="relay"),
            NamedServer(name="192.0.2.1:3478", kind="stun"),
        ],
        timeout_s=3.0,
        portmap=True,
        relay_token="open-sesame-open-sesame",
    )


def test_public_servers_are_asked_unless_that_is_not_wanted(relay: str) -> None:
    named = Settings(relays=(HostPort.parse(relay),))
    off = Settings(said=Config(public_stun=False))
    request = measurement(named, portmap=False, public_stun=None)
    assert request.public_stun == PUBLIC_STUN_SERVERS
    assert not measurement(named, portmap=False, public_stun=False).public_stun
    alone = measurement(off, portmap=False, public_stun=True)
    assert (alone.servers, alone.public_stun) == ([], PUBLIC_STUN_SERVERS)
    with pytest.raises(UsageError, match="nobody to ask"):
        measurement(off, portmap=False, public_stun=None)


def test_the_socket_stays_the_same_one(relay: str, tmp_path: Path) -> None:
    told: list[Event] = []
    session = Session(Settings(state_dir=tmp_path / "state"), told.append)
    request = AskDetectNat(
        servers=[NamedServer(name=relay, kind="relay")], timeout_s=10.0
    )

    async def twice() -> None:
        state = open_state(session.settings.state_dir)
        async with Measuring(session, state, request) as measuring:
            first = await measuring.measure()
            second = await measuring.measure()
            assert first.reflexive == second.reflexive
            assert (await measuring.measure()).through == "detect-nat"

    asyncio.run(twice())
    assert isinstance(told[0], Hello)
    assert len([event for event in told if isinstance(event, Bound)]) == 1
    reflexive = [event for event in told if isinstance(event, Reflexive)]
    assert len(reflexive) == 1, "what stays the same is told once"
