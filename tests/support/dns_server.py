"""A DNS server on a UDP port, with a zone of the test's; asked by the real resolvers.

Run as a program, it serves a zone file: `python dns_server.py ADDRESS PORT ZONEFILE`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

__all__ = ["dns_server", "zone"]

Zone = Mapping[tuple[str, str], dns.rrset.RRset]
"""By name with its final dot, and type."""


def zone(text: str) -> Zone:
    """Read lines such as `relay.example. 60 IN A 192.0.2.1`."""
    found: dict[tuple[str, str], dns.rrset.RRset] = {}
    for line in text.split("\n"):
        if line.strip():
            name, ttl, kind, rdtype, data = line.split(maxsplit=4)
            one = dns.rrset.from_text(name, int(ttl), kind, rdtype, data)
            found.setdefault((name, rdtype), one).add(one[0], int(ttl))
    return found


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone, silent: frozenset[str], late_s: float) -> None:
        self.asked: list[str] = []
        self._zone, self._silent, self._late_s = zone, silent, late_s
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        (question,) = asked.question
        name, rdtype = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(name)
        if rdtype in self._silent:
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA | dns.flags.AA
        found = self._zone.get((name.lower(), rdtype))
        if found is not None:
            answer.answer.append(found)
        elif not any(known == name.lower() for known, _ in self._zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        loop = asyncio.get_running_loop()
        loop.call_later(self._late_s, self._transport.sendto, answer.to_wire(), addr)


@asynccontextmanager
async def dns_server(
    zone: Zone,
    *,
    at: tuple[str, int] = ("127.0.0.1", 0),
    silent: frozenset[str] = frozenset(),
    late_s: float = 0.0,
) -> AsyncIterator[tuple[int, list[str]]]:
    """Answer from a zone; yield the port, and the names that are asked for.

    Args:
        zone: All that there is.
        at: Where to bind.
        silent: Types of records that are never answered.
        late_s: How long an answer takes.
    """
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: _Server(zone, silent, late_s), local_addr=at
    )
    try:
        yield transport.get_extra_info("sockname")[1], server.asked
    finally:
        transport.close()


async def _main(host: str, port: str, lines: str) -> None:
    async with dns_server(zone(lines), at=(host, int(port))):
        print("ready", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text()))
