import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from wzp_cli import events
from wzp_cli.address import HostPort
from wzp_cli.cli import compose
from wzp_cli.cli.command import Session
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import (
    ConnectionLost,
    PortInUse,
    RelayUnreachable,
    RequirementNotMet,
    UsageError,
)
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.calls.talk import CallOutcome, EndOfCall
from wzp_cli.services.sound.media import MediaSnapshot

BOB = Keypair.generate()
FRAMES = events.Frames(sent=5, received=4, recovered=1, concealed=0, late=0)
HEARD = events.HeardByPeer(
    loss_pct=3.0, concealed_ms=20.0, recovered_ms=300.0, buffer_ms=40.0, mos_est=4.3
)
OUTCOME = CallOutcome(
    peer=str(BOB.identity),
    end=EndOfCall("peer", "hung up"),
    path="relay",
    paths=[events.PathSpan(path="relay", from_ms=0.0)],
    setup_ms=182.0,
    first_audio_ms=209.0,
    time_to_direct_ms=None,
    why_not_direct="no answer from 192.0.2.1:5",
    remote="203.0.113.1:4433",
    rtt_ms=41.0,
    frames=FRAMES,
    heard_by_peer=HEARD,
    verdict=events.Judged(quality="good", limited_by=None, sentence="Sound was good."),
    quality=MediaSnapshot(
        frames=FRAMES,
        loss_pct=1.0,
        jitter_ms=3.14159,
        buffer_ms=42.04,
        concealed_ms=0.0,
        tx_bps=1,
        rx_bps=1,
        mos_est=4.321,
    ),
)


def session(
    directory: Path | None = None, **settings: object
) -> tuple[Session, list[events.Event]]:
    told: list[events.Event] = []
    made = replace(Settings(state_dir=directory), **settings)  # type: ignore[arg-type]
    return Session(made, told.append), told


# -- the socket and the relay


def test_the_port_is_remembered_and_lent_to_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, told = session(tmp_path)
        state = compose.own_state(ours)
        async with compose.endpoint_of(ours, state) as first:
            assert first.local.port == state.port
            async with compose.endpoint_of(ours, state) as second:
                port = second.local.port
                assert port != state.port
            wanted, _ = session(tmp_path, port=first.local.port)
            with pytest.raises(PortInUse):
                await compose.endpoint_of(wanted, state).__aenter__()
        assert [type(event).__name__ for event in told] == [
            "Hello", "Bound", "Hello", "Warned", "Bound",
        ]  # fmt: skip
        assert told[0] == events.Hello(
            id=str(state.keypair.identity),
            version=told[0].version,  # type: ignore[attr-defined]
        )

    asyncio.run(scenario())


def test_each_relay_is_tried_for_the_time_given(tmp_path: Path) -> None:
    silent = (HostPort("127.0.0.1", 1), HostPort("127.0.0.1", 2))

    async def scenario() -> None:
        ours, told = session(tmp_path, timeout_s=0.05)
        state = compose.own_state(ours)
        async with compose.endpoint_of(ours, state) as endpoint:
            trying = compose.registered(ours, state, endpoint, silent, publishes=False)
            with pytest.raises(RelayUnreachable, match=r"the relay 127\.0\.0\.1:2"):
                await trying.__aenter__()
            none = compose.registered(ours, state, endpoint, (), publishes=False)
            with pytest.raises(UsageError, match="no relay is known"):
                await none.__aenter__()
        (warning,) = [event for event in told if isinstance(event, events.Warned)]
        assert (warning.code, "127.0.0.1:1" in warning.message) == (
            "relay_unreachable",
            True,
        )

    asyncio.run(scenario())


def test_who_goes_on_calls_the_first_relay_until_it_answers(tmp_path: Path) -> None:
    silent = (HostPort("127.0.0.1", 1), HostPort("127.0.0.1", 2))

    async def scenario() -> None:
        ours, told = session(tmp_path, timeout_s=0.05)
        state = compose.own_state(ours)
        async with (
            compose.endpoint_of(ours, state) as endpoint,
            compose.registered(
                ours, state, endpoint, silent, publishes=True, goes_on=True
            ) as registration,
        ):
            assert (registration.relay, registration.is_up) == (silent[0], False)
        warnings = [event for event in told if isinstance(event, events.Warned)]
        assert [each.code for each in warnings] == ["relay_unreachable"] * 2

    asyncio.run(scenario())


def test_interfaces_are_those_of_this_machine() -> None:
    assert all(each.host != "127.0.0.1" for each in compose.find_interfaces())


# -- how a call ended


def test_an_outcome_is_the_last_event() -> None:
    end = compose.ended(OUTCOME)
    assert (end.peer, end.path, end.setup_ms) == (str(BOB.identity), "relay", 182.0)
    assert (end.jitter_ms, end.buffer_ms, end.mos_est) == (3.14, 42.0, 4.32)
    assert (end.quality, end.limited_by, end.heard_by_peer) == ("good", None, HEARD)
    unheard = replace(OUTCOME, quality=replace(OUTCOME.quality, mos_est=None))
    assert compose.ended(unheard).mos_est is None


def test_direct_may_be_required() -> None:
    compose.required_path(OUTCOME, None)
    compose.required_path(None, "direct")
    compose.required_path(replace(OUTCOME, time_to_direct_ms=3.0), "direct")
    with pytest.raises(RequirementNotMet, match="no answer from"):
        compose.required_path(OUTCOME, "direct")
    with pytest.raises(RequirementNotMet, match="not known"):
        compose.required_path(replace(OUTCOME, why_not_direct=None), "direct")


def test_a_call_that_nobody_ended_failed() -> None:
    compose.connection_kept(None)
    compose.connection_kept(OUTCOME)
    lost = replace(OUTCOME, end=EndOfCall("network", "the peer is gone"))
    with pytest.raises(ConnectionLost, match="the peer is gone"):
        compose.connection_kept(lost)
