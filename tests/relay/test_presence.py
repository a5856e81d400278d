import itertools
from collections.abc import Callable

from wzp_cli.defaults.relay import RELAY_MAX_DEVICES_PER_TARGET
from wzp_cli.relay.presence import Presence, Reachable

ALICE, BOB, EVE = b"a" * 32, b"b" * 32, b"e" * 32


def counted() -> Callable[[int], bytes]:
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def links(found: list[Reachable]) -> list[object]:
    return [reachable.link for reachable in found]


class World:
    """Alice, Bob (two devices) and Eve are connected; nobody has published."""

    def __init__(self) -> None:
        self.presence = Presence(random_bytes=counted())
        self.devices = {
            link: self.presence.join(link, identity)
            for link, identity in (
                *(("alice", ALICE), ("bob1", BOB), ("bob2", BOB)),
                ("eve", EVE),
            )
        }

    def reachable(self, target: bytes, by: str) -> list[object]:
        return links(self.presence.reachable(target, by=by))


def test_connecting_does_not_publish() -> None:
    world = World()
    assert world.reachable(BOB, "alice") == []
    assert (len(world.presence), world.presence.published) == (4, 0)


def test_the_latest_device_comes_first() -> None:
    world = World()
    for link in ("bob2", "bob1", "bob1"):
        world.presence.publish(link)
    assert world.presence.reachable(BOB, by="alice") == [
        Reachable("bob2", world.devices["bob2"]),
        Reachable("bob1", "0000000000000002"),
    ]
    assert world.presence.published == 2
    world.presence.unpublish("bob2")
    assert world.reachable(BOB, "alice") == ["bob1"]


def test_a_link_never_reaches_itself_but_ones_other_devices() -> None:
    world = World()
    world.presence.publish("bob1")
    assert world.reachable(BOB, "bob1") == []
    assert world.reachable(BOB, "bob2") == ["bob1"]


def test_who_calls_is_reachable_by_the_called_alone() -> None:
    world = World()
    world.presence.start_calling("alice", BOB)
    assert world.reachable(ALICE, "bob1") == ["alice"]
    assert world.reachable(ALICE, "bob2") == ["alice"]
    assert world.reachable(ALICE, "eve") == []
    world.presence.stop_calling("alice", EVE)
    assert world.reachable(ALICE, "bob1") == ["alice"]
    world.presence.stop_calling("alice", BOB)
    assert world.reachable(ALICE, "bob1") == []


def test_a_link_that_left_is_forgotten() -> None:
    world = World()
    world.presence.publish("bob1")
    world.presence.start_calling("bob2", ALICE)
    world.presence.leave("bob1")
    assert world.reachable(BOB, "alice") == ["bob2"]
    world.presence.leave("bob2")
    world.presence.leave("bob2")
    assert world.reachable(BOB, "alice") == []
    world.presence.join("bob2", BOB)
    assert world.reachable(BOB, "alice") == []


def test_a_link_that_joins_again_starts_afresh() -> None:
    world = World()
    world.presence.publish("bob1")
    assert world.presence.join("bob1", EVE) != world.devices["bob1"]
    assert world.reachable(BOB, "alice") == world.reachable(EVE, "alice") == []


def test_who_is_not_there_changes_nothing() -> None:
    presence = Presence()
    presence.publish("gone")
    presence.unpublish("gone")
    presence.start_calling("gone", BOB)
    presence.stop_calling("gone", BOB)
    assert presence.reachable(BOB, by="gone") == []
    assert len(presence) == 0


def test_a_prefix_is_nobody() -> None:
    world = World()
    world.presence.publish("bob1")
    assert world.reachable(BOB[:31], "alice") == []


def test_so_many_devices_ring_and_no_more() -> None:
    presence = Presence(random_bytes=counted())
    presence.join("alice", ALICE)
    for number in range(20):
        presence.join(number, BOB)
        presence.publish(number)
    found = presence.reachable(BOB, by="alice")
    assert links(found) == list(range(19, 19 - RELAY_MAX_DEVICES_PER_TARGET, -1))
    assert len({reachable.device for reachable in found}) == len(found)


def test_who_may_be_called_at_all_is_findable() -> None:
    presence = Presence()
    assert not presence.is_findable(ALICE)
    presence.join("link", ALICE)
    assert not presence.is_findable(ALICE)
    presence.publish("link")
    assert presence.is_findable(ALICE)
    presence.unpublish("link")
    presence.start_calling("link", BOB)
    assert presence.is_findable(ALICE)
    assert [each.link for each in presence.reachable_from(BOB, ALICE)] == ["link"]
    assert presence.reachable_from(b"c" * 32, ALICE) == []
    presence.leave("link")
    assert not presence.is_findable(ALICE)


def test_who_is_refused_finds_nobody_though_others_do() -> None:
    presence = Presence()
    for link, identity in (("alice", ALICE), ("bob", BOB), ("eve", EVE)):
        presence.join(link, identity)
    presence.publish("bob", refuses=frozenset({ALICE}))
    presence.start_calling("bob", ALICE)
    assert presence.reachable(BOB, by="alice") == []
    assert presence.reachable_from(ALICE, BOB) == []
    assert links(presence.reachable(BOB, by="eve")) == ["bob"]
    presence.publish("bob")
    assert links(presence.reachable(BOB, by="alice")) == ["bob"]
