"""What holds for every family of signalling messages, and how it is tried."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.messages.signal import Message, MessageDecoder, Unknown, encode

__all__ = ["MessageFamily"]

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


class MessageFamily:
    """A union of message types, and each of its messages with its pinned body."""

    def __init__(self, union: Any, pinned: Sequence[tuple[Message, str]]) -> None:
        self._union = union
        self.pinned = pinned
        self.bodies = [body.encode() for _, body in pinned]

    def decoder(self) -> MessageDecoder[Message]:
        """Return a new decoder of the family."""
        return MessageDecoder(self._union, limit_bytes=MAX_MESSAGE_BYTES)

    def heard(self, body: bytes) -> Message | Unknown:
        """Return the one message in `body`."""
        (message,) = self.decoder().feed(_framed(body))
        return message

    def check_pinned(self) -> None:
        """Each type of the union is pinned, in both directions."""
        assert {type(message) for message, _ in self.pinned} == set(
            self._union.__args__
        )
        for message, body in self.pinned:
            assert encode(message) == _framed(body.encode())
            assert self.heard(body.encode()) == message

    def check_cuts(self) -> None:
        """A stream cut anywhere says the same; a part of a body is refused."""
        said = [message for message, _ in self.pinned]
        stream = b"".join(encode(message) for message in said)
        one = self.decoder()
        assert [m for i in range(len(stream)) for m in one.feed(stream[i : i + 1])] == (
            said
        )
        for cut in range(len(stream)):
            one = self.decoder()
            assert [*one.feed(stream[:cut]), *one.feed(stream[cut:])] == said
        for body in self.bodies:
            for cut in range(len(body)):
                self.check_refused(body[:cut])

    def check_refused(self, body: bytes | dict[str, Any]) -> None:
        """The body is the other side's fault."""
        with pytest.raises(RemoteProtocolError):
            self.heard(body if isinstance(body, bytes) else json.dumps(body).encode())

    def check_anything(self, body: bytes) -> None:
        """Any body is a message of the family, unknown, or the other side's fault."""
        with contextlib.suppress(RemoteProtocolError):
            assert isinstance(self.heard(body), Message | Unknown)

    def mutations(self) -> st.SearchStrategy[bytes]:
        """Return bodies that are nearly right: bytes, or one key's value, changed."""
        return self._changed_bytes() | self._changed_values()

    def _changed_bytes(self) -> st.SearchStrategy[bytes]:
        def change(body: bytes, at: float, cut: int, new: bytes) -> bytes:
            start = int(at * len(body))
            return body[:start] + new + body[start + cut :]

        return st.builds(
            change,
            st.sampled_from(self.bodies),
            st.floats(0, 1),
            st.integers(0, 8),
            st.binary(max_size=8),
        )

    def _changed_values(self) -> st.SearchStrategy[bytes]:
        def change(body: bytes, data: tuple[int, Any, bool]) -> bytes:
            said = json.loads(body)
            number, value, leave_out = data
            key = list(said)[number % len(said)]
            said[key] = value
            if leave_out:
                del said[key]
            return json.dumps(said).encode()

        return st.builds(
            change,
            st.sampled_from(self.bodies),
            st.tuples(st.integers(0, 9), _JSON, st.booleans()),
        )
