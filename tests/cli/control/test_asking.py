"""Asking the wzp that runs here; between processes: test_steering.py."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from wzp_cli.adapters.control_socket import open_control, transport
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.cli.command import Session
from wzp_cli.cli.control.asking import asked_running, ordered, shown
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import NoCall, NotRunning
from wzp_cli.events import Event, Report
from wzp_cli.ports import ControlChannel
from wzp_cli.protocol.messages.control import AskAnswer, AskMute, CallSteered
from wzp_cli.services.control import serve

CALL = CallSteered(peer="wzp1peer", name="Eve", state="ringing", muted=False, held=True)


def ignore(event: Event) -> None:
    """Take an event, for nobody."""


def test_an_order_to_nobody_and_to_somebody(tmp_path: Path) -> None:
    async def answer(request: AskAnswer, report: Report) -> CallSteered:
        return CALL

    async def mute(request: AskMute, report: Report) -> CallSteered:
        raise NoCall("no call has been answered")

    async def converse(channel: ControlChannel) -> None:
        await serve(channel, {AskAnswer: answer, AskMute: mute})

    async def scenario() -> None:
        session = Session(Settings(state_dir=tmp_path), ignore)
        state = open_state(tmp_path)
        assert await asked_running(state, AskAnswer(), CallSteered, ignore) is None
        with pytest.raises(NotRunning):
            await ordered(session, AskAnswer())
        async with open_control(transport(tmp_path), converse):
            assert await ordered(session, AskAnswer()) == CALL
            with pytest.raises(NoCall, match="no call has been answered"):
                await ordered(session, AskMute(on=None))

    asyncio.run(scenario())


def test_who_it_is_is_shown_with_what_is_not_verified() -> None:
    assert shown(CALL) == 'wzp1peer ("Eve", not verified)'
    nameless = CallSteered(peer="p", name="", state="ringing", muted=False, held=False)
    assert shown(nameless) == "p"


def test_an_order_loads_neither_the_endpoint_nor_sound() -> None:
    program = (
        "import sys, wzp_cli.cli.control.asking\n"
        "heavy = {'aioquic', 'aioice', 'numpy', 'sounddevice', 'rich'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
