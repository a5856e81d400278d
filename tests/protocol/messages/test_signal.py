import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.messages.signal import Message, MessageDecoder, Unknown, encode


class Ask(Message, frozen=True, kw_only=True, tag="ask"):
    text: str
    number: int = 0


class Tell(Message, frozen=True, kw_only=True, tag="tell"):
    pass


Family = Ask | Tell


def decoder(limit_bytes: int = MAX_MESSAGE_BYTES) -> MessageDecoder[Ask | Tell]:
    return MessageDecoder(Family, limit_bytes=limit_bytes)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def heard(body: bytes) -> Ask | Tell | Unknown:
    (message,) = decoder().feed(framed(body))
    return message


def test_the_bytes() -> None:
    assert encode(Tell()) == b'\x00\x00\x00\x0f{"type":"tell"}'
    assert encode(Ask(text="é")) == b'\x00\x00\x00\x1a{"type":"ask","text":"\xc3\xa9"}'
    assert encode(Ask(text="", number=1))[4:] == b'{"type":"ask","text":"","number":1}'


def test_a_stream_cut_anywhere() -> None:
    said = [Ask(text="a"), Tell(), Ask(text="b" * 300, number=-1)]
    stream = b"".join(encode(message) for message in said)
    for cut in range(len(stream) + 1):
        one = decoder()
        assert [*one.feed(stream[:cut]), *one.feed(stream[cut:])] == said


def test_a_stream_byte_by_byte() -> None:
    said = [Ask(text="a"), Tell(), Ask(text="b" * 300, number=-1)]
    stream = b"".join(encode(message) for message in said)
    one = decoder()
    assert [m for i in range(len(stream)) for m in one.feed(stream[i : i + 1])] == said
    assert list(one.feed(b"")) == []


def test_an_unknown_type_is_a_value() -> None:
    assert heard(b'{"type":"hologram","depth":[1,{"a":null}]}') == Unknown("hologram")
    assert heard(b'{"depth":3,"type":""}') == Unknown("")
    one = decoder()
    stream = framed(b'{"type":"hologram"}') + encode(Tell())
    assert list(one.feed(stream)) == [Unknown("hologram"), Tell()]


def test_unknown_keys_are_ignored_and_order_is_free() -> None:
    assert heard(b' {"new":[{}],"text":"x","type":"ask"} ') == Ask(text="x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'"ask"',
        b'{"type":null}',
        b'{"type":5}',
        b'{"type":["ask"]}',
        b'{"type":"ask"}',
        b'{"type":"ask","text":null}',
        b'{"type":"ask","text":"x","number":"1"}',
        b'{"type":"ask","text":"x","number":1.5}',
        b'{"type":"ask","text":"x","number":NaN}',
        b'{"type":"tell"} {"type":"tell"}',
        b'{"type":"tell"}\0',
        b'{"type":"\xff"}',
        b'{"type":"ask","text":"\xff"}',
        b'{"type":"ask","text":"\\ud800"}',
        b'{"type":"hologram","type":"tell"}',
        b'\xef\xbb\xbf{"type":"tell"}',
        b"\xff\xfe{\0}\0",
    ],
)
def test_nonsense_is_the_other_sides_fault(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        heard(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MAX_MESSAGE_BYTES,
        b'{"a":' * 3000,
        b'{"type":"hologram","a":' + b"[" * 8000 + b"]" * 8000 + b"}",
        b'{"type":"ask","text":"","a":' + b'{"a":' * 2500 + b"0" + b"}" * 2501,
        b'{"a":' + b"[" * 8000 + b"]" * 8000 + b',"type":"tell"}',
    ],
)
def test_deep_nesting_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        heard(body)


def test_a_complaint_does_not_repeat_all_that_came() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        heard(b'{"type":"' + b"x" * 9000 + b'","type":"tell"}')
    assert len(str(caught.value)) < 300


def test_lengths_up_to_the_limit() -> None:
    text = "x" * (MAX_MESSAGE_BYTES - len(b'{"type":"ask","text":""}'))
    (message,) = decoder().feed(encode(Ask(text=text)))
    assert message == Ask(text=text)
    with pytest.raises(LocalProtocolError):
        encode(Ask(text=text + "x"))


@pytest.mark.parametrize("length", [101, 16 * 1024 + 1, 2**31, 2**32 - 1])
def test_a_length_beyond_the_limit_is_refused_at_once(length: int) -> None:
    with pytest.raises(RemoteProtocolError):
        list(decoder(limit_bytes=100).feed(length.to_bytes(4, "big")))


def test_the_limit_may_be_raised_between_two_messages() -> None:
    one = decoder(limit_bytes=20)
    long = Ask(text="x" * 100)
    messages = one.feed(encode(Tell()) + encode(long))
    assert next(messages) == Tell()
    one.limit_bytes = 1000
    assert list(messages) == [long]


def test_what_is_no_text_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode(Ask(text="\udcff"))


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_NEAR = st.fixed_dictionaries(
    {"type": st.sampled_from(["ask", "tell", "hologram"]) | _JSON},
    optional={"text": _JSON, "number": _JSON, "more": _JSON},
)


@given(st.binary(max_size=200))
def test_random_bytes(stream: bytes) -> None:
    for data in (stream, framed(stream)):
        with contextlib.suppress(RemoteProtocolError):
            assert all(isinstance(m, Message | Unknown) for m in decoder().feed(data))


@given(_JSON | _NEAR)
def test_random_json(value: Any) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert isinstance(heard(json.dumps(value).encode()), Ask | Tell | Unknown)
