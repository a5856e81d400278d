"""Where a relay's clients are, as their links show it; and what is told of that."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults.paths import LOWEST_PEER_PORT
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.stun.reflector import Reflector
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.relay.calls import Calls
from wzp_cli.relay.forwarding.channels import Channel

__all__ = ["Whereabouts", "as_told"]


@dataclass
class Whereabouts:
    """The validated addresses of a relay's clients.

    Attributes:
        reflectors: The extra ports, which probe how a client's NAT filters.
        tell: Says something to a client, if it is still there.
    """

    endpoint: Endpoint
    reflectors: Sequence[Reflector]
    calls: Calls
    tell: Callable[[Link, Message], None]
    _located: dict[Link, Address] = field(default_factory=dict)
    _clients: Counter[Address] = field(default_factory=Counter)

    def locate(self, link: Link, address: Address | None) -> None:
        """Keep which own address this client talks to; None: it is gone."""
        before = self._located.pop(link, None)
        if before is not None:
            self._clients[before] -= 1
            if not self._clients[before]:
                del self._clients[before]
                self.endpoint.own_hosts.pop(before, None)
        if address is not None:
            self._located[link] = address
            self._clients[address] += 1
            self.endpoint.own_hosts[address] = link.own_host

    def moved(self, link: Link, address: Address) -> None:
        """A client has another address: its channels follow, and who may know hears."""
        self.locate(link, address)
        for channel in self.calls.channels.move(link, address):
            self.calls.close(channel, None)
        self.tell(link, relay.Observed(address=as_told(address)))
        for channel in self.calls.channels.revealing(link):
            self.tell_where(channel, link)

    def reveal(self, link: Link, send_id: bytes) -> None:
        """Let the other side of a channel know where `link` is, as `link` wishes."""
        channel = self.calls.channels.reveal(link, send_id)
        if channel is not None:
            self.tell_where(channel, link)

    def tell_where(self, channel: Channel, link: Link) -> None:
        """Tell the other side where `link` is seen; it has asked us to."""
        other = channel.other(link)
        assert isinstance(other, Link)
        assert link.address is not None
        where = as_told(link.address)
        channel_id = channel.send_id(link).hex()
        self.tell(other, relay.Revealed(channel=channel_id, address=where))

    def probe(self, message: relay.ProbeMe, link: Link) -> None:
        """Send a filtering probe, to the client's own validated host and no other."""
        client = link.address
        reflectors = [each for each in self.reflectors if each.port == message.port]
        if client is None or not reflectors or 0 < message.to < LOWEST_PEER_PORT:
            return
        if client.is_tcp:  # of UDP, nothing is known there
            return
        now = self.endpoint.now()
        if not self.calls.limits.admit_probe(link.identity.key, client, now):
            return
        to = client._replace(port=message.to or client.port)
        reflectors[0].probe(to, link.own_host, bytes.fromhex(message.id))
        if message.id:
            self.tell(link, relay.Probed(id=message.id))


def as_told(address: Address) -> str:
    """Return an address as clients are told it: who came by TCP knows that it did."""
    return str(address._replace(tunnel=0))
