import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.message_family import MessageFamily
from wzp_cli.protocol.messages.peer import (
    Answer,
    Cancel,
    CandidateInfo,
    Candidates,
    Decline,
    Goodbye,
    Hello,
    Hold,
    Nat,
    Offer,
    Opened,
    PeerMessage,
    Probe,
    ProbeTaken,
    Quality,
    Relayed,
    Ringing,
    Searching,
)
from wzp_cli.protocol.messages.signal import Unknown

KEY: dict[str, Any] = {"ufrag": "abcd", "pwd": "0123456789012345678901"}
FAMILY = MessageFamily(
    PeerMessage,
    [
        (Hello(version="wzp/0.1.0"), '{"type":"hello","version":"wzp/0.1.0"}'),
        (
            Hello(version="2", name="Zoë", features=("red",)),
            '{"type":"hello","version":"2","name":"Zoë","features":["red"]}',
        ),
        (
            Offer(call="c1", media=["opus-red", "opus"]),
            '{"type":"offer","call":"c1","media":["opus-red","opus"]}',
        ),
        (Hold(on=True), '{"type":"hold","on":true}'),
        (Ringing(call="c1"), '{"type":"ringing","call":"c1"}'),
        (
            Answer(call="c1", media="opus"),
            '{"type":"answer","call":"c1","media":"opus"}',
        ),
        (
            Decline(call="c1", reason="busy"),
            '{"type":"decline","call":"c1","reason":"busy"}',
        ),
        (
            Cancel(call="c1", reason="timeout"),
            '{"type":"cancel","call":"c1","reason":"timeout"}',
        ),
        (
            Candidates(
                **KEY,
                list=[CandidateInfo(type="srflx", address="203.0.113.7:41822")],
                end=False,
                nat=Nat(mapping="endpoint-independent"),
            ),
            '{"type":"candidates","ufrag":"abcd","pwd":"0123456789012345678901",'
            '"list":[{"type":"srflx","address":"203.0.113.7:41822"}],"end":false,'
            '"nat":{"mapping":"endpoint-independent","filtering":"unknown",'
            '"allocation":"unknown","pooled":false,"mapped":false,"blocked":false}}',
        ),
        (
            Candidates(**KEY, list=[]),
            '{"type":"candidates","ufrag":"abcd","pwd":"0123456789012345678901",'
            '"list":[]}',
        ),
        (Opened(), '{"type":"opened"}'),
        (
            Relayed(address="203.0.113.9:50000"),
            '{"type":"relayed","address":"203.0.113.9:50000"}',
        ),
        (
            Searching(sockets=16, samples=(40001, 40018), step=1),
            '{"type":"searching","sockets":16,"samples":[40001,40018],"step":1}',
        ),
        (Probe(call="c1"), '{"type":"probe","call":"c1"}'),
        (
            ProbeTaken(call="c1", direct=True),
            '{"type":"probe_taken","call":"c1","direct":true}',
        ),
        (Searching(sockets=256), '{"type":"searching","sockets":256}'),
        (
            Quality(
                loss_pct=2.0,
                jitter_ms=3.0,
                concealed_ms=20.0,
                buffer_ms=60.0,
                expected=50,
                lost=3,
                gaps=2,
                recovered_ms=40.0,
                queue_ms=1.5,
            ),
            '{"type":"quality","loss_pct":2.0,"jitter_ms":3.0,"concealed_ms":20.0,'
            '"buffer_ms":60.0,"expected":50,"lost":3,"gaps":2,"recovered_ms":40.0,'
            '"queue_ms":1.5}',
        ),
        (
            Quality(loss_pct=1.5, jitter_ms=3.0, concealed_ms=0.0, buffer_ms=60.0),
            '{"type":"quality","loss_pct":1.5,"jitter_ms":3.0,"concealed_ms":0.0,'
            '"buffer_ms":60.0}',
        ),
        (Goodbye(reason="hangup"), '{"type":"hangup","reason":"hangup"}'),
    ],
)


def test_the_bytes_of_every_message() -> None:
    FAMILY.check_pinned()


def test_every_cut() -> None:
    FAMILY.check_cuts()


def test_a_newer_peer_is_not_hung_up_on() -> None:
    assert FAMILY.heard(b'{"type":"wave","on":true}') == Unknown("wave")
    assert FAMILY.heard(b'{"type":"ringing","call":"c","tone":[1]}') == Ringing(
        call="c"
    )
    assert FAMILY.heard(b'{"type":"publish"}') == Unknown("publish")


def candidates(**changed: Any) -> dict[str, Any]:
    return {"type": "candidates", **KEY, "list": [], **changed}


HOST = {"type": "host", "address": "192.0.2.1:1"}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "hello", "version": "v" * 257},
        {"type": "hello", "version": "", "name": "n" * 257},
        {"type": "hello", "version": "", "features": ["f"] * 33},
        {"type": "hello", "version": "", "features": ["f" * 65]},
        {"type": "offer", "call": "c" * 65, "media": []},
        {"type": "offer", "call": "", "media": ["m"] * 9},
        {"type": "offer", "call": "", "media": ["m" * 65]},
        {"type": "ringing", "call": "c" * 65},
        {"type": "answer", "call": "", "media": "m" * 65},
        {"type": "decline", "call": "", "reason": "r" * 65},
        {"type": "cancel", "call": "", "reason": "r" * 65},
        {"type": "hangup", "reason": "r" * 65},
        {"type": "relayed", "address": "a" * 65},
        {"type": "searching", "sockets": 0},
        {"type": "searching", "sockets": 257},
        {"type": "searching", "sockets": 1, "samples": [1024] * 17},
        {"type": "searching", "sockets": 1, "samples": [65536]},
        {"type": "searching", "sockets": 1, "step": 1025},
        candidates(list=[HOST] * 9),
        candidates(list=[{**HOST, "address": "a" * 65}]),
        candidates(list=[{**HOST, "type": "loopback"}]),
        candidates(ufrag="abc"),
        candidates(ufrag="a" * 33),
        candidates(pwd="p" * 21),
        candidates(pwd="p" * 65),
        candidates(nat={"mapping": "m" * 65}),
        candidates(end=1),
    ],
)
def test_what_is_too_long_or_misshapen(body: dict[str, Any]) -> None:
    FAMILY.check_refused(body)


def test_as_much_as_is_allowed() -> None:
    FAMILY.heard(json.dumps(candidates(list=[HOST] * 8)).encode())


@given(FAMILY.mutations() | st.binary(max_size=100))
def test_anything_else_is_the_peers_fault(body: bytes) -> None:
    FAMILY.check_anything(body)
