"""No UDP comes back: is it blocked here, or are the servers down?

A host that answers by TCP is there. If it says itself, by ICMP, that nobody has the
port, then our UDP has reached it. One host may keep UDP away for reasons of its own;
two that are there and hear nothing mean that it is us.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.sockets.wire import Fate, IcmpError
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.ports import LookByTcp
from wzp_cli.protocol.traversal.route import DirectRoute

__all__ = ["Silence", "look_into"]


@dataclass(frozen=True, slots=True)
class Silence:
    """What is behind it. None: it can't be told."""

    udp_blocked: bool | None = None
    captive_portal: bool | None = None


async def look_into(
    endpoint: Endpoint, servers: Sequence[Address], look: LookByTcp
) -> Silence:
    """Look why none of these servers answers by UDP."""
    hosts = {each.host: each for each in servers}
    said: list[IcmpError] = []
    spares = endpoint.open_spares(1)
    try:
        for spare in spares:
            endpoint.watch_spare(spare, said.append)
            for address in hosts.values():
                request = stun.encode_request(stun.new_transaction_id())
                endpoint.carry(request, DirectRoute(address, spare))
        async with task_group() as group:
            portal = group.create_task(look.captive_portal())
            there = [group.create_task(look.reaches(at)) for at in hosts.values()]
    finally:
        endpoint.close_spares(spares)
    reached = sum(task.result() for task in there)
    return Silence(_is_blocked(said, hosts, reached), portal.result())


def _is_blocked(
    said: Sequence[IcmpError], hosts: dict[str, Address], reached: int
) -> bool | None:
    if any(each.fate is Fate.NO_PORT and each.router in hosts for each in said):
        return False
    if any(each.fate is Fate.PROHIBITED for each in said):
        return True
    return True if reached > 1 else None
