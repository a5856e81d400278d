"""What was shown of a call to whoever watched: captures, and what both peers were told.

    watch = Watch(stage, ("a", "b"))
    with watch.watching(folder, "a", "b", "r1", "core"):
        ...                                     # a call, and how it ends
    assert not watch.told("a", of="b")          # a has heard no address of b's
    assert not watch.between("a", "b")          # nor was there a packet
    watch.nobody_is_named(relay_id)             # in none of the captures

Both peers keep every message that they could decrypt (`tests/support/nosy.py`). A
router that forwards shows a packet twice.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from tests.netlab.eavesdropper import (
    Seen,
    identity_spellings,
    initials,
    read_capture,
    streams,
    unframed,
)
from tests.netlab.program import Program, Stage, Wzp
from wzp_cli.protocol.names.identity import Identity

__all__ = ["NAMES", "Watch", "at_of", "privacy", "readable"]

NOSY = "tests.support.nosy"
NAMES = ("Älice Liddell", "Bob Cratchit-Ω")
"""What the caller and the callee call themselves."""
_CLOCKS_APART_S = 0.05
"""Between a program's event and the capture of what it did."""


class Watch:
    """All that is seen of one call, by place.

    Attributes:
        seen: What each place saw.
        heard: The messages that each peer was told.
        answered_at: When the call was answered, in Unix seconds; or never.
    """

    def __init__(self, stage: Stage, peers: tuple[str, str]) -> None:
        """Take the hosts of caller and callee; their users keep what they hear."""
        self.stage = stage
        self.peers = peers
        self.seen: dict[str, list[Seen]] = {}
        self.heard: dict[str, list[dict[str, object]]] = {}
        self.answered_at = float("inf")
        self.caller, self.callee = (
            stage.user(host, name=name, module=NOSY)
            for host, name in zip(peers, NAMES, strict=True)
        )

    @contextmanager
    def watching(self, folder: Path, *places: str) -> Iterator[None]:
        """Capture at these places while the block runs; then read it all."""
        folder.mkdir(exist_ok=True)
        diaries = [_diary(user) for user in (self.caller, self.callee)]
        for diary in diaries:
            diary.unlink(missing_ok=True)
        files = {place: folder / f"{place}.pcap" for place in places}
        with ExitStack() as stack:
            captures = [
                stack.enter_context(self.stage.lab.host(place).capture(file))
                for place, file in files.items()
            ]
            yield
        assert not any(capture.lost for capture in captures)
        self.seen = {place: read_capture(file) for place, file in files.items()}
        self.heard = {
            host: _lines(diary) for host, diary in zip(self.peers, diaries, strict=True)
        }

    def answered(self, listening: Program) -> None:
        """Wait until the call is answered."""
        self.answered_at = at_of(listening, "answered")

    def addresses(self, host: str) -> set[str]:
        """Where somebody is: at home, and as the world sees it."""
        machine = self.stage.lab.host(host)
        return {*machine.addresses, *machine.addresses_v6, machine.public}

    def told(self, host: str, *, of: str) -> list[float]:
        """Return when messages with an address of the other's came to a peer."""
        others = self.addresses(of) - self.addresses(host)
        return [
            float(str(message["at"]))
            for message in self.heard[host]
            if any(each in json.dumps(message) for each in others)
        ]

    def between(self, one: str, other: str, at: str = "core") -> list[float]:
        """Return when packets were on their way from one to the other, past a place."""
        here, there = self.addresses(one), self.addresses(other)
        return [
            each.at
            for each in self.seen[at]
            if (each.source in here and each.to in there)
            or (each.source in there and each.to in here)
        ]

    def early(self, at: str = "core") -> list[float]:
        """Return when a peer learned of an address of the other's before the answer."""
        one, other = self.peers
        all_of_it = [
            *self.told(one, of=other),
            *self.told(other, of=one),
            *self.between(one, other, at),
        ]
        return [when for when in all_of_it if when < self.answered_at]

    def nobody_is_named(self, *others: str) -> None:
        """No capture has a name or an identity, of the two or of these others."""
        secrets = [name.encode() for name in NAMES]
        for text in (self.caller.id, self.callee.id, *others):
            secrets += identity_spellings(Identity.parse(text))
        for place, captured in self.seen.items():
            everything = b"\n".join(readable(captured))
            assert everything, place
            assert [each for each in secrets if each in everything] == [], place


def readable(captured: Iterable[Seen]) -> list[bytes]:
    """Return all that a capture shows to who has no key, Initials decrypted."""
    seen = list(captured)
    return [*unframed(seen), *streams(seen).values(), *initials(seen)]


def privacy(path: Path, setting: str) -> list[str]:
    """Return the words that make a command keep to this setting of privacy."""
    path.write_text(f'privacy = "{setting}"\n')
    return ["--config", str(path)]


def at_of(program: Program, event: str) -> float:
    """Wait for an event; return when it was, in Unix seconds."""
    told: str = program.wait_for(event)["ts"]
    return datetime.fromisoformat(told).timestamp() - _CLOCKS_APART_S


def _diary(user: Wzp) -> Path:
    return user.state / "heard.jsonl"


def _lines(path: Path) -> list[dict[str, object]]:
    if not path.exists():  # nobody has said anything
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
