"""The shell around the model: keys to switches, events to what is drawn."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.cli.view.stories import ALICE, LISTENING, RINGS, TALKING, listener
from wzp_cli.cli.view.drawing.layout import Size
from wzp_cli.cli.view.screen import Screen
from wzp_cli.defaults.program import SCREEN_BELL_S
from wzp_cli.events import Event, Hangup, Held, Muted
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.switchboard import Switchboard


class Glass:
    """A terminal's keyboard, and what it is sent; it may be slow."""

    size = Size(80, 24)

    def __init__(self, keyboard: int) -> None:
        self.keyboard = keyboard
        self.sent = ""
        self.is_idle = True

    def show(self, sequences: str) -> None:
        self.sent += sequences

    def forget_typed(self) -> None:
        """Nothing was."""


class Scene:
    """A screen with its keyboard, and a call's switches."""

    def __init__(self, keys: int, keyboard: int) -> None:
        self._keys = keys
        self.glass = Glass(keyboard)
        self.switchboard = Switchboard()
        self.call = ExitStack()
        self.line = self.call.enter_context(self.switchboard.takes_in(ALICE, ""))
        self.screen = Screen(listener(), self.switchboard, "auto", rings=True)
        self.told: list[Event] = []
        self.hung_up = 0
        self._news = asyncio.Event()
        self.controls = CallControls(self._report, hang_up=self._hang_up)
        self.line.talks(self.controls)

    async def until_told(self, event: Event, times: int) -> None:
        while self.told.count(event) < times:
            self._news.clear()
            await self._news.wait()

    def _report(self, event: Event) -> None:
        self.told.append(event)
        self._news.set()
        self.screen.report(event)

    def _hang_up(self) -> None:
        self.hung_up += 1

    def happens(self, *story: Event) -> None:
        for event in story:
            self.screen.report(event)

    async def press(self, keys: str) -> None:
        """Type keys, and let the screen do what they say."""
        os.write(self._keys, keys.encode())
        for _ in range(5):
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        glass: Any = self.glass
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(self.screen.run(glass))
            await asyncio.sleep(0.01)
            yield
            showing.cancel()


@pytest.fixture
def scene() -> Iterator[Scene]:
    here, there = os.pipe()

    async def made() -> Scene:
        return Scene(there, here)

    yield asyncio.run(made())
    os.close(here)
    os.close(there)


def test_keys_are_the_switches_of_the_call(scene: Scene) -> None:
    async def story() -> None:
        scene.happens(*TALKING)
        async with scene.shown():
            await scene.press("m")
            await scene.press("m")
            await scene.press("h")
            await scene.press("H")
            await scene.press("q")

    asyncio.run(story())
    assert scene.told == [
        Muted(muted=True),
        Muted(muted=False),
        Held(held=True, by="local"),
        Held(held=False, by="local"),
    ]
    assert scene.hung_up == 1


def test_space_is_heard_while_it_repeats_and_m_opens_again(scene: Scene) -> None:
    async def story() -> None:
        scene.happens(*TALKING)
        async with scene.shown():
            await scene.press("m")
            for _ in range(5):
                await scene.press(" ")
                assert scene.controls.speaks
            await scene.until_told(Muted(muted=True, push_to_talk=True), 2)  # released
            await scene.press("m")
            assert scene.controls.speaks
            assert not scene.controls.pushes_to_talk

    asyncio.run(story())
    assert scene.told == [
        Muted(muted=True),
        Muted(muted=True, push_to_talk=True),
        Muted(muted=False, push_to_talk=True),
        Muted(muted=True, push_to_talk=True),
        Muted(muted=False),
    ]


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", False)])
def test_one_key_answers_while_the_bell_rings(
    key: str, answer: bool, scene: Scene
) -> None:
    async def story() -> bool:
        scene.happens(*LISTENING, RINGS)
        async with scene.shown(), asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(scene.screen.ask())
            await scene.press("q?")  # neither stops, nor answers
            assert not asking.done()
            assert scene.screen.model.page == "help"
            await scene.press(key)
            return await asking

    assert asyncio.run(story()) is answer
    assert scene.glass.sent.count("\a") == 1, f"once in {SCREEN_BELL_S} s"


def test_q_stops_a_listener_but_not_right_after_a_call(scene: Scene) -> None:
    async def story() -> None:
        scene.happens(*TALKING)
        async with scene.shown(), asyncio.TaskGroup() as tasks:
            work = asyncio.Event().wait()
            listening = tasks.create_task(scene.screen.until_quit(work))
            await scene.press("q")
            scene.happens(Hangup(reason="hung up", by="local"))
            scene.call.close()
            await scene.press("q")
            assert not listening.done(), "that was the same press"
            await asyncio.sleep(1)
            await scene.press("q")
            assert await listening is None

    asyncio.run(story())
    assert scene.hung_up == 1


def test_what_is_cancelled_from_outside_is_not_quit(scene: Scene) -> None:
    async def story() -> None:
        async with asyncio.TaskGroup() as tasks:
            work = asyncio.Event().wait()
            listening = tasks.create_task(scene.screen.until_quit(work))
            await asyncio.sleep(0)
            listening.cancel()
        assert listening.cancelled()

    asyncio.run(story())


def test_a_slow_terminal_gets_fewer_frames(scene: Scene) -> None:
    async def story() -> None:
        async with scene.shown():
            assert "Starting" in scene.glass.sent
            scene.glass.is_idle, scene.glass.sent = False, ""
            scene.happens(*LISTENING)
            await scene.press("p")
            assert scene.glass.sent == ""
            scene.glass.is_idle = True
            await scene.press("?")
            assert "Keys" in scene.glass.sent

    asyncio.run(story())


def test_only_what_changes_is_sent_and_ctrl_l_sends_all(scene: Scene) -> None:
    async def story() -> None:
        scene.happens(*LISTENING)
        async with scene.shown():
            scene.glass.sent = ""
            await scene.press("x")
            assert "Listening for calls" not in scene.glass.sent
            await scene.press("\x0c")
            assert "Listening for calls" in scene.glass.sent

    asyncio.run(story())


def test_a_keyboard_that_has_gone_is_left_alone(scene: Scene) -> None:
    here, there = os.pipe()
    os.close(there)
    scene.glass.keyboard = here

    async def story() -> None:
        async with scene.shown():
            await asyncio.sleep(0.05)
            assert not asyncio.get_running_loop().remove_reader(here)

    asyncio.run(story())
    os.close(here)
