import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.program import CONTROL_MAX_REPLY_BYTES
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.events import Bound, Event, Warned
from wzp_cli.protocol.messages import control
from wzp_cli.protocol.messages.signal import Unknown

ASK = control.AskDetectNat(
    servers=[control.NamedServer(name="r1.example:4433", kind="relay")], timeout_s=5.0
)


class Found(msgspec.Struct, frozen=True):
    number: int


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (control.AskStatus(), b'{"type":"status"}\n'),
        (control.AskRelay(), b'{"type":"relay"}\n'),
        (control.AskAnswer(), b'{"type":"answer"}\n'),
        (control.AskEvents(), b'{"type":"events"}\n'),
        (
            control.AskCall(peer="bob", sound=control.HowItSounds(source="tone")),
            b'{"type":"call","peer":"bob","sound":{"source":"tone"}}\n',
        ),
        (control.AskHangUp(), b'{"type":"hangup"}\n'),
        (control.AskMute(on=None), b'{"type":"mute","on":null}\n'),
        (control.AskHold(on=False), b'{"type":"hold","on":false}\n'),
        (
            ASK,
            b'{"type":"detect-nat","servers":[{"name":"r1.example:4433",'
            b'"kind":"relay"}],"timeout_s":5.0}\n',
        ),
        (
            control.AskLifetime(relays=["r1.example:4433"], silences_s=[8.0, 15.0]),
            b'{"type":"mapping-lifetime","relays":["r1.example:4433"],'
            b'"silences_s":[8.0,15.0]}\n',
        ),
    ],
)
def test_requests_as_lines(request_: control.Request, line: bytes) -> None:
    assert control.encode_request(request_) == line
    assert control.decode_request(line) == request_


def test_replies_as_lines() -> None:
    event = Bound(port=4, addresses=["10.0.0.2"])
    said = control.encode_reply(control.told(event))
    assert said == (
        b'{"type":"event","event":{"event":"bound","port":4,'
        b'"addresses":["10.0.0.2"]}}\n'
    )
    told = control.decode_reply(said)
    assert isinstance(told, control.Told)
    assert control.decode_event(told) == event

    said = control.encode_reply(control.result_of(Found(7)))
    assert said == b'{"type":"result","result":{"number":7}}\n'
    result = control.decode_reply(said)
    assert isinstance(result, control.Result)
    assert control.read_result(result, Found) == Found(7)

    refusal = control.Refusal(code="control_busy", message="not now")
    assert control.decode_reply(control.encode_reply(refusal)) == refusal


def test_what_a_newer_wzp_says_is_passed_over() -> None:
    assert control.decode_request(b'{"type":"sing","loud":true}') == Unknown("sing")
    assert control.decode_request(b'{"type":"status","new":1}') == control.AskStatus()
    assert control.decode_request(b'{"type":"mute"}') == control.AskMute(on=True)
    newer = control.decode_reply(b'{"type":"event","event":{"event":"dance"}}')
    assert isinstance(newer, control.Told)
    assert control.decode_event(newer) is None


def test_every_event_can_be_told() -> None:
    assert {Bound, Warned} <= set(Event.__subclasses__())
    warned = Warned(code="c", message="ü\n")
    assert control.decode_event(control.told(warned)) == warned


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"type":1}',
        b'{"type":"detect-nat"}',
        b'{"type":"call"}',
        b'{"type":"call","peer":"bob","duration_s":-1}',
        b'{"type":"call","peer":"bob","sound":{"source":7}}',
        b'{"type":"mute","on":"yes"}',
        b'{"type":"detect-nat","servers":[],"timeout_s":0}',
        b'{"type":"detect-nat","servers":[{"name":"a","kind":"x"}],"timeout_s":1}',
        b'{"type":"detect-nat","servers":%s,"timeout_s":1}'
        % json.dumps([{"name": "a", "kind": "stun"}] * 65).encode(),
        b'{"type":"status","x":' + b"[" * 3000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        control.decode_request(body)


def test_a_result_of_another_kind_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="no Found"):
        control.read_result(control.result_of({"letter": "a"}), Found)


def test_too_much_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        control.encode_reply(control.result_of("x" * CONTROL_MAX_REPLY_BYTES))


@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_random_lines(line: bytes) -> None:
    for decode in (control.decode_request, control.decode_reply):
        said: Any = None
        try:
            said = decode(line)
        except RemoteProtocolError:
            continue
        assert isinstance(said, msgspec.Struct)
