import asyncio

import pytest

from tests.support.house import House, Machine, house_of, turns
from wzp_cli.address import Address
from wzp_cli.defaults.paths import MAX_PENDING_CHECKS
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.endpoint.stun.checks import CheckKey, CheckSession
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route

Answer = tuple[Route, float, Address | None]


class Side:
    """One side of a call, and what its checks report."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.session: CheckSession = machine.endpoint.open_checks()
        self.answers: list[Answer] = []
        self.requests: list[tuple[Route, bool]] = []
        self.session.on_answer = lambda *answer: self.answers.append(answer)
        self.session.on_request = lambda *request: self.requests.append(request)

    def check(self, route: Route, *, nominates: bool = False) -> bytes:
        """Send one check; return it."""
        self.session.send(route, ttl=None, nominates=nominates)
        return next(reversed(self.session._asked))


def two_sides(house: House) -> tuple[Side, Side]:
    alice, bob = Side(house.machine()), Side(house.machine())
    alice.session.remote, bob.session.remote = bob.session.local, alice.session.local
    return alice, bob


def test_a_check_and_its_answer() -> None:
    async def scenario(house: House) -> None:
        house.net.delay_s = 0.010
        alice, bob = two_sides(house)
        alice.check(bob.machine.route, nominates=True)
        await asyncio.sleep(1)
        assert bob.requests == [(alice.machine.route, True)]
        ((route, rtt_s, seen),) = alice.answers
        assert (route, seen) == (bob.machine.route, alice.machine.address)
        assert rtt_s == pytest.approx(0.020, abs=0.001)
        assert not alice.session._asked
        assert bob.answers == []

    house_of(scenario)


def test_a_key_is_long_and_new_for_each_session_and_each_side() -> None:
    keys = [CheckKey.random() for _ in range(100)]
    assert len({key.password for key in keys} | {key.ufrag for key in keys}) == 200
    assert {(len(key.ufrag), len(key.password)) for key in keys} == {(8, 24)}


def test_nothing_is_sent_before_the_peers_key_is_known() -> None:
    async def scenario(house: House) -> None:
        alice = Side(house.machine())
        alice.session.send(DirectRoute(Address("192.0.2.1", 1)), ttl=2, nominates=False)
        assert not house.packets
        assert not alice.session._asked

    house_of(scenario)


def test_an_opener_travels_as_far_as_it_should() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        alice.session.send(bob.machine.route, ttl=3, nominates=False)
        assert house.packets[-1].ttl == 3
        await turns()
        assert bob.requests == []

    house_of(scenario)


def test_our_own_check_reflected_proves_nothing() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        mirror = house.mailbox()
        alice.check(DirectRoute(mirror.address))
        await turns()
        ((request, _),) = mirror.got
        mirror.send(request, alice.machine.address)
        await turns()
        assert alice.requests == []
        assert alice.answers == []
        assert len(mirror.got) == 1
        # Nor does an answer that we give count as one that we get.
        mirror.send(request, bob.machine.address)
        await turns()
        (answer,) = (datagram for datagram, _ in mirror.got[1:])
        mirror.send(answer, bob.machine.address)
        await turns()
        assert bob.answers == []
        assert alice.answers == []

    house_of(scenario)


def test_each_direction_has_its_own_key() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        transaction_id = alice.check(bob.machine.route)
        await turns()
        alice.answers.clear()
        transaction_id = alice.check(DirectRoute(Address("192.0.2.9", 9)))
        route = DirectRoute(Address("192.0.2.9", 9))
        seen = Address("6.6.6.6", 6)

        def answers(password: str | None) -> bool:
            answer = stun.encode_response(transaction_id, seen, password)
            return alice.session.take_response(stun.decode(answer), route)

        assert not answers(alice.session.local.password)
        assert not answers(None)
        assert not answers("")
        assert answers(bob.session.local.password)

    house_of(scenario)


def test_an_answer_counts_only_over_the_route_that_was_asked() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        route = DirectRoute(Address("192.0.2.9", 9))
        transaction_id = alice.check(route)
        answer = stun.encode_response(
            transaction_id, alice.machine.address, bob.session.local.password
        )
        elsewhere, port = house.mailbox(), DirectRoute(Address("192.0.2.9", 10))
        elsewhere.send(answer, alice.machine.address)
        await turns()
        message = stun.decode(answer)
        channel = ChannelRoute(route.address, bytes(8), bytes(8))
        for other in (port, channel):
            assert not alice.session.take_response(message, other)
        assert alice.answers == []
        assert alice.session.take_response(message, route)
        assert not alice.session.take_response(message, route)  # and only once
        assert len(alice.answers) == 1

    house_of(scenario)


def test_a_request_without_the_right_key_is_not_answered() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        stranger = house.mailbox()
        name = f"{bob.session.local.ufrag}:{alice.session.local.ufrag}"
        for password in ("", "guess", alice.session.local.password):
            request = stun.encode_check(
                stun.new_transaction_id(), name, password, nominates=True
            )
            stranger.send(request, bob.machine.address)
        right = stun.encode_check(
            stun.new_transaction_id(), name, bob.session.local.password, nominates=False
        )
        for damaged in (right[:-1], right[:40] + b"x" + right[41:], right + b"\0" * 4):
            stranger.send(damaged, bob.machine.address)
        await turns()
        assert stranger.got == []
        assert bob.requests == []
        stranger.send(right, bob.machine.address)
        await turns()
        assert bob.requests == [(DirectRoute(stranger.address), False)]

    house_of(scenario)


def test_an_answer_is_no_larger_than_its_check() -> None:
    """A copied check with a forged source is answered there: it amplifies nothing."""

    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        alice.check(bob.machine.route)
        (request,) = house.sent(alice.machine.address)
        victim = house.mailbox()
        for _ in range(10):
            victim.send(request, bob.machine.address)
        await turns()
        assert 0 < victim.got_bytes <= 10 * len(request)

    house_of(scenario)


def test_nomination_cannot_be_added_to_a_check() -> None:
    async def scenario(house: House) -> None:
        _, bob = two_sides(house)
        name = f"{bob.session.local.ufrag}:x"
        right = stun.encode_check(
            stun.new_transaction_id(), name, bob.session.local.password, nominates=False
        )
        unprinted = right[:-8]  # FINGERPRINT needs no key
        added = unprinted + b"\x00\x25\x00\x00"
        added = added[:2] + (len(added) - 20).to_bytes(2, "big") + added[4:]
        stranger = house.mailbox()
        stranger.send(added, bob.machine.address)
        await turns()
        assert bob.requests == [(DirectRoute(stranger.address), False)]

    house_of(scenario)


def test_checks_through_a_channel() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        relay = house.machine()
        there, back = house.channel(relay, alice.machine, bob.machine)
        alice.machine.endpoint.open_channel(there, admits=False)
        bob.machine.endpoint.open_channel(back, admits=False)
        alice.check(there)
        await turns()
        assert bob.requests == [(back, False)]
        assert [route for route, _, _ in alice.answers] == [there]

    house_of(scenario)


def test_the_oldest_pending_check_is_forgotten() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        silent = house.mailbox()
        first = alice.check(DirectRoute(silent.address))
        for _ in range(MAX_PENDING_CHECKS):
            alice.check(DirectRoute(silent.address))
        assert len(alice.session._asked) == MAX_PENDING_CHECKS
        late = stun.encode_response(
            first, alice.machine.address, bob.session.local.password
        )
        silent.send(late, alice.machine.address)
        await turns()
        assert alice.answers == []

    house_of(scenario)


def test_a_closed_session_answers_no_more() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        bob.machine.endpoint.close_checks(bob.session)
        bob.machine.endpoint.close_checks(bob.session)
        alice.check(bob.machine.route)
        await turns()
        assert bob.requests == []
        assert alice.answers == []

    house_of(scenario)


def test_a_route_that_is_not_allowed_draws_no_answer() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        bob.session.allows = lambda route: False
        alice.check(bob.machine.route)
        await turns()
        assert alice.answers == []
        assert bob.requests == []

    house_of(scenario)
