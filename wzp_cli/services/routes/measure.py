"""Our NAT as it is right now, measured in a call at the cost of two round trips."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import MEASURE_SPARES, MEASURE_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.protocol.nat import (
    Mapping,
    NatFacts,
    Reflection,
    address_pooled,
    classify_allocation,
    classify_mapping,
)

__all__ = ["Measured", "ask", "measure_nat"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a call's own measurement tells.

    Attributes:
        facts: UNKNOWN where no answer came in time.
        step: From one port to the next, where they are given in sequence; else 0.
    """

    facts: NatFacts
    step: int = 0


async def measure_nat(
    endpoint: Endpoint, relay: Address, extra_ports: Sequence[int], own: list[Address]
) -> Measured:
    """Judge the NAT between the one socket and a relay.

    The relay is asked on all its ports. If they see different ports, fresh sockets ask
    it too: what the one socket has used before says nothing of the ports to come.

    Args:
        endpoint: The one socket, and where fresh ones come from.
        relay: The relay's address in use.
        extra_ports: Its other ports that answer STUN.
        own: The socket's own addresses.

    A relay that only TCP gets through to is not asked: it says that UDP is blocked.
    """
    if relay.is_tcp:
        return Measured(NatFacts(udp_blocked=True))
    servers = [relay, *(Address(relay.host, port) for port in extra_ports)]
    reflections = await ask(endpoint, [(server, 0) for server in servers])
    facts = NatFacts(
        mapping=classify_mapping(own, reflections), pooled=address_pooled(reflections)
    )
    if facts.mapping in (Mapping.UNKNOWN, Mapping.NONE):
        return Measured(facts)
    spares = endpoint.open_spares(MEASURE_SPARES)
    try:
        fresh = await ask(endpoint, [(relay, spare) for spare in spares])
    finally:
        endpoint.close_spares(spares)
    allocation, step = classify_allocation([], fresh)
    pooled = facts.pooled or address_pooled(fresh)
    return Measured(replace(facts, allocation=allocation, pooled=pooled), step or 0)


async def ask(
    endpoint: Endpoint, questions: Sequence[tuple[Address, int]]
) -> list[Reflection]:
    """Ask servers through sockets, all at once; return the answers, in this order.

    Args:
        endpoint: Whose sockets.
        questions: Server, and number of the spare socket (0: the one socket).
    """
    answers: dict[int, Reflection] = {}

    async def reflect(number: int, server: Address, spare: int) -> None:
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                answers[number] = await endpoint.reflect(server, spare=spare)
        except TimeoutError:
            return

    async with task_group() as group:
        for number, (server, spare) in enumerate(questions):
            group.create_task(reflect(number, server, spare))
    return [answers[number] for number in sorted(answers)]
