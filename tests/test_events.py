import msgspec
import pytest

from wzp_cli import events
from wzp_cli.events import Ended, Event, Frames, PathSpan

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]

NAMES = {
    "answered", "bound", "candidate", "end", "error", "hangup", "hello", "incoming",
    "media.started", "path.changed", "path.selected", "path.tried", "ready",
    "reflexive", "registered", "ringing", "stats", "warning",
}  # fmt: skip


def tag(kind: type[Event]) -> object:
    return kind.__struct_config__.tag


def test_no_event_of_the_contract_is_missing() -> None:
    assert {tag(kind) for kind in KINDS} >= NAMES


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_event_is_frozen_offered_and_explained(kind: type[Event]) -> None:
    assert kind.__name__ in events.__all__
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.tag_field == "event"
    assert kind.__doc__


def test_no_event_uses_a_name_of_the_envelope() -> None:
    fields = {field for kind in KINDS for field in kind.__struct_fields__}
    assert fields.isdisjoint({"v", "ts", "seq", "t_ms", "event"})


def test_the_end_of_a_call_as_it_is_written() -> None:
    frames = Frames(sent=500, received=498, recovered=6, concealed=1, late=1)
    spans = [PathSpan(path="relay", from_ms=0), PathSpan(path="direct", from_ms=231.5)]
    end = Ended(ok=True, exit=0, path="direct", paths=spans, frames=frames)
    written = msgspec.to_builtins(end)
    assert list(written)[:3] == ["event", "ok", "exit"]
    assert written["paths"][1] == {"path": "direct", "from_ms": 231.5}
    assert written["why_not_direct"] is None
    assert msgspec.convert(written, Ended) == end
