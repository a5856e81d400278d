"""SRV records: where DNS says that a service of a name is (RFC 2782).

Only this room knows dnspython. It asks the system's resolvers by sockets of its own.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import SRV_ANSWER_S, SRV_MAX_TARGETS

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

__all__ = ["LookUpSrv", "look_up_srv", "srv_resolver"]

LookUpSrv = Callable[[str], Awaitable[list[HostPort]]]
"""Takes the name of the records; returns what they name, in the order to try it."""


async def look_up_srv(records: str) -> list[HostPort]:
    """Ask the system's resolvers. See `srv_resolver`."""
    return await srv_resolver()(records)


def srv_resolver(
    resolver: "Resolver | None" = None, answer_s: float = SRV_ANSWER_S
) -> LookUpSrv:
    """Return what looks records up, with the system's resolvers or with these.

    It returns the targets by priority, and within one at random by weight; [] where
    there are none, or nobody says so within `answer_s`.
    """

    async def look_up(records: str) -> list[HostPort]:
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException
        from dns.rdtypes.IN.SRV import SRV

        try:
            asked = Resolver() if resolver is None else resolver
            answer = await asked.resolve(
                records, "SRV", search=False, lifetime=answer_s
            )
        except (DNSException, OSError, ValueError):  # none, silent, not configured
            return []
        found = answer.rrset.processing_order() if answer.rrset is not None else []
        targets = [
            HostPort(each.target.to_text(omit_final_dot=True), each.port)
            for each in found
            if isinstance(each, SRV)
            and (each.port and len(each.target) > 1)  # "." says: not offered here
        ]
        return targets[:SRV_MAX_TARGETS]

    return look_up
