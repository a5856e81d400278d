"""What several fresh sockets show: how ports are given out, and hairpinning.

Each asks the same server, one right after the other, so that nothing but the socket
differs.
"""

import asyncio
from dataclasses import dataclass

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import DETECT_SPARES, HAIRPIN_GRACE_S, HAIRPIN_TRIES_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.nat import Allocation, Reflection, classify_allocation
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.services.routes.measure import ask

__all__ = ["FreshSockets", "try_fresh_sockets"]


@dataclass(frozen=True, slots=True)
class FreshSockets:
    """What was found.

    Attributes:
        hairpinned: Whether a packet from one came back to another one; False means
            little where the mapping depends on the endpoint.
    """

    allocation: Allocation = Allocation.UNKNOWN
    port_delta: int | None = None
    hairpinned: bool | None = None


async def try_fresh_sockets(endpoint: Endpoint, server: Address) -> FreshSockets:
    """Ask a server that answers through DETECT_SPARES fresh sockets."""
    spares = endpoint.open_spares(DETECT_SPARES)
    try:
        own = {spare: endpoint.spare_port(spare) for spare in spares}
        seen = await ask(endpoint, [(server, spare) for spare in spares])
        by_spare = {each.spare: each for each in seen}
        fresh = [by_spare[spare] for spare in spares if spare in by_spare]
        allocation, delta = _allocation(own, fresh)
        hairpinned = await _hairpins(endpoint, fresh[:2]) if fresh[1:] else None
    finally:
        endpoint.close_spares(spares)
    return FreshSockets(allocation, delta, hairpinned)


def _allocation(
    own: dict[int, int | None], fresh: list[Reflection]
) -> tuple[Allocation, int | None]:
    if fresh and all(each.reflexive.port == own[each.spare] for each in fresh):
        return Allocation.PRESERVING, None
    return classify_allocation([], fresh)


async def _hairpins(endpoint: Endpoint, pair: list[Reflection]) -> bool:
    """Send from each of two sockets to the other's outside; whether one arrives.

    The first one's packets let the second one's in, where only known sources are.
    """
    came = asyncio.Event()
    one, other = pair
    opener, sent = stun.encode_indication(), stun.new_transaction_id()
    packet = stun.encode_indication(sent)

    async def send_all() -> None:
        began = endpoint.now()
        for at_s in HAIRPIN_TRIES_S:
            await asyncio.sleep(began + at_s - endpoint.now())
            endpoint.carry(opener, DirectRoute(other.reflexive, one.spare))
            endpoint.carry(packet, DirectRoute(one.reflexive, other.spare))

    def take(message: stun.BindingMessage, route: DirectRoute) -> None:
        if route.spare == one.spare:
            came.set()

    with endpoint.expecting(sent, take):
        async with task_group() as group:
            sending = group.create_task(send_all())
            try:
                wait_s = HAIRPIN_TRIES_S[-1] + HAIRPIN_GRACE_S + one.rtt_s
                async with asyncio.timeout(wait_s):
                    await came.wait()
            except TimeoutError:
                pass
            sending.cancel()
    return came.is_set()
