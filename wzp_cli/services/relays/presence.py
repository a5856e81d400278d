"""Who of our contacts could be called now, without ringing anybody.

A relay answers a `connect` with channels or with `offline`. There is no more to ask:
the channels are given back at once, and nothing is dialled through them.
"""

from collections.abc import Iterable

from wzp_cli.errors import NetworkError, PeerOffline
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.services.relays.registration import Registration

__all__ = ["who_is_online"]


async def who_is_online(
    registration: Registration, identities: Iterable[Identity]
) -> dict[Identity, bool | None]:
    """Ask our relay for each of `identities`, one after the other.

    Returns:
        Whether a device of theirs takes calls there from us. False is also what the
        relay says for somebody who has blocked us; None: it would not say, as when it
        was asked too often.
    """
    return {each: await _is_online(registration, each) for each in identities}


async def _is_online(registration: Registration, identity: Identity) -> bool | None:
    try:
        routes = await registration.connect(identity)
    except PeerOffline:
        return False
    except NetworkError:
        return None
    for route in routes:
        registration.close_channel(route)
    return True
