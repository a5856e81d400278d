"""The channels through a relay that one client knows of."""

from collections import OrderedDict
from collections.abc import Callable, Collection

from wzp_cli.address import Address
from wzp_cli.defaults.relay import MAX_ANNOUNCED_CHANNELS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import WzpError
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.protocol.turn import TurnGrant

__all__ = ["RelayChannels"]


class RelayChannels:
    """Channels announced to us, in use by calls of ours, and lost meanwhile."""

    def __init__(
        self,
        endpoint: Endpoint,
        refused: Callable[[], Collection[Identity]] = tuple,
    ) -> None:
        """Take the one socket, and what returns who may not call us."""
        self._endpoint = endpoint
        self._refused = refused
        self._announced: OrderedDict[bytes, tuple[ChannelRoute, Identity]] = (
            OrderedDict()
        )
        self._in_use: dict[bytes, ChannelRoute] = {}
        self._lost: set[bytes] = set()
        self._seen_at: dict[ChannelRoute, Address] = {}
        self._grants: dict[bytes, TurnGrant] = {}

    @property
    def in_use(self) -> Collection[ChannelRoute]:
        """The channels that calls of ours go through."""
        return self._in_use.values()

    def take(
        self, channels: list[relay.Device], relay_address: Address
    ) -> list[ChannelRoute]:
        """Take what the relay gave us on our own wish."""
        routes = [_route(relay_address, device.channel) for device in channels]
        for route in routes:
            self._endpoint.open_channel(route, admits=False)
            self._in_use[route.receive_id] = route
        return routes

    def announce(self, message: relay.Incoming, relay_address: Address) -> bool:
        """Take the relay's word that somebody will dial us through a channel.

        Returns:
            False if they may not: nothing that comes through it is answered.
        """
        try:
            caller = Identity.parse(message.caller)
            if caller in self._refused():
                return False
        except WzpError:
            return False
        route = _route(relay_address, message.channel)
        self._announced[route.receive_id] = (route, caller)
        self._endpoint.open_channel(route, admits=True)
        if len(self._announced) > MAX_ANNOUNCED_CHANNELS:
            _, (oldest, _caller) = self._announced.popitem(last=False)
            self._endpoint.close_channel(oldest)
        return True

    def claim(self, route: ChannelRoute) -> Identity | None:
        """Return who the relay said would dial us through a channel; None: nobody.

        From now on it stays until `close`: neither newer announcements nor the relay's
        word take it from a call.
        """
        announced = self._announced.pop(route.receive_id, None)
        if announced is None:
            return None
        self._in_use[route.receive_id] = route
        return announced[1]

    def announced(self, route: ChannelRoute) -> Identity | None:
        """Return who the relay said would use a channel that nobody has claimed."""
        announced = self._announced.get(route.receive_id)
        return None if announced is None else announced[1]

    def close(self, route: ChannelRoute) -> None:
        """Forget a channel, whatever it was to us."""
        self._in_use.pop(route.receive_id, None)
        self._lost.discard(route.receive_id)
        self._seen_at.pop(route, None)
        self._grants.pop(route.receive_id, None)
        self._announced.pop(route.receive_id, None)
        self._endpoint.close_channel(route)

    def withdrawn(self, receive_id: bytes) -> bool:
        """The relay has closed a channel; return whether a call of ours uses it.

        The call keeps it all the same, and may ask for another one.
        """
        announced = self._announced.pop(receive_id, None)
        if announced is not None:
            self._endpoint.close_channel(announced[0])
        if receive_id in self._in_use:
            self._lost.add(receive_id)
        return receive_id in self._in_use

    def all_withdrawn(self, relay_address: Address) -> None:
        """The link to a relay is over, and every channel through it."""
        announced = [route for route, _ in self._announced.values()]
        for route in (*announced, *self._in_use.values()):
            if route.relay == relay_address:
                self.withdrawn(route.receive_id)

    def is_lost(self, route: ChannelRoute) -> bool:
        """Whether the relay no longer knows a channel that we use."""
        return route.receive_id in self._lost

    def note_peer(self, receive_id: bytes, seen: Address) -> bool:
        """Note where the relay sees the peer of a call; return whether that is new."""
        route = self._in_use.get(receive_id)
        if route is None or seen == self._seen_at.get(route):
            return False
        self._seen_at[route] = seen
        return True

    def note_grant(self, message: relay.TurnGranted) -> bool:
        """Keep credentials for a call of ours; return whether they are for one."""
        receive_id = bytes.fromhex(message.channel)
        if receive_id not in self._in_use:
            return False
        self._grants[receive_id] = TurnGrant(
            *(message.server, message.username, message.password),
            *(message.tcp, message.tls),
        )
        return True

    def take_grant(self, route: ChannelRoute) -> TurnGrant | None:
        """Return credentials that came for a call, once; None: none have."""
        return self._grants.pop(route.receive_id, None)

    def seen_at(self, route: ChannelRoute) -> Address | None:
        """Return where the relay sees the peer at the other end of a channel in use.

        None: the peer has not let it tell us.
        """
        return self._seen_at.get(route)


def _route(relay_address: Address, channel: relay.ChannelIds) -> ChannelRoute:
    return ChannelRoute(
        relay_address, bytes.fromhex(channel.send), bytes.fromhex(channel.receive)
    )
