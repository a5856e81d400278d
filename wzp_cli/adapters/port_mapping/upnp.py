"""Port mapping by UPnP IGD, through the library that the extra `upnp` brings.

The library asks where a router's answers point it. Here every address has to be the
router's own, nothing is followed elsewhere, and no answer is read without end.
"""

import asyncio
import importlib.util
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.mapper import MappingRefused
from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    PORT_MAPPING_LIFETIME_S,
    SSDP_SEARCH_S,
    UPNP_MAX_BYTES,
    UPNP_PORT_TRIES,
    UPNP_TIMEOUT_S,
)
from wzp_cli.events import MappingProtocol
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.port_mapping import Grant

if TYPE_CHECKING:
    from async_upnp_client.const import HttpRequest
    from async_upnp_client.profiles.igd import IgdDevice

__all__ = ["UpnpMapper", "find_upnp", "is_at", "is_installed", "make_requester"]

_WRONG: Final = (ValueError, LookupError)
"""What the library raises beside its own errors, of XML with entities or odd values."""

_WANTED: Final = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
_ANY_HOST: Final = IPv4Address("0.0.0.0")
_NO_ENTRY: Final = 714  # errors of WANIPConnection:1, section 2.4.16
_CONFLICT: Final = 718
_ONLY_PERMANENT: Final = 725


def is_installed() -> bool:
    """Whether the extra `upnp` is there."""
    return importlib.util.find_spec("async_upnp_client") is not None


async def find_upnp(gateway: Gateway) -> "UpnpMapper | None":
    """Return the router if it speaks UPnP IGD; None too without the extra."""
    if not is_installed():
        return None
    from async_upnp_client.client_factory import UpnpFactory
    from async_upnp_client.exceptions import UpnpError
    from async_upnp_client.profiles.igd import IgdDevice

    try:
        async with _searching(gateway) as locations:
            async with asyncio.timeout(SSDP_SEARCH_S):
                location = await locations
        factory = UpnpFactory(make_requester(gateway.host), non_strict=True)
        device = await factory.async_create_device(location)
        return UpnpMapper(gateway, IgdDevice(device, None))
    except (UpnpError, TimeoutError, OSError, *_WRONG):
        return None


@dataclass
class UpnpMapper:
    """A router that speaks UPnP IGD."""

    gateway: Gateway
    device: "IgdDevice"
    protocol: MappingProtocol = "upnp"

    async def map(self, port: int, wanted: Address | None) -> Grant:
        """Map a port, as `Mapper.map`."""
        from async_upnp_client.exceptions import UpnpError

        try:
            external_port = await self._add(port, wanted.port if wanted else port)
            host = await self.device.async_get_external_ip_address()
            external = Address(str(IPv4Address(host or "")), external_port)
        except AddressValueError as error:
            raise MappingRefused("it tells no external address") from error
        except (UpnpError, *_WRONG) as error:
            raise MappingRefused(_words(error)) from error
        return Grant(external, PORT_MAPPING_LIFETIME_S)

    async def unmap(self, port: int, granted: Address) -> None:
        """End a mapping, as `Mapper.unmap`."""
        from async_upnp_client.exceptions import UpnpActionError, UpnpError

        try:
            await self.device.async_delete_port_mapping(_ANY_HOST, granted.port, "UDP")
        except UpnpActionError as error:
            if error.error_code != _NO_ENTRY:
                raise MappingRefused(_words(error)) from error
        except (UpnpError, *_WRONG) as error:
            raise MappingRefused(_words(error)) from error

    async def _add(self, port: int, external_port: int) -> int:
        """Map a port; return the external one: the wanted, else any that is free."""
        from async_upnp_client.exceptions import UpnpActionError

        lease_s = PORT_MAPPING_LIFETIME_S
        for left in reversed(range(UPNP_PORT_TRIES)):
            try:
                await self._add_one(port, external_port, lease_s)
            except UpnpActionError as error:
                if not left or error.error_code not in (_CONFLICT, _ONLY_PERMANENT):
                    raise
                if error.error_code == _ONLY_PERMANENT:
                    lease_s = 0  # until it is deleted, or the router restarts
                else:
                    external_port = 20_000 + secrets.randbelow(40_000)
            else:
                break
        return external_port

    async def _add_one(self, port: int, external_port: int, lease_s: int) -> None:
        await self.device.async_add_port_mapping(
            _ANY_HOST,
            external_port,
            "UDP",
            port,
            IPv4Address(self.gateway.own),
            enabled=True,
            description=f"wzp {port}",
            lease_duration=timedelta(seconds=lease_s),
        )


def _words(error: Exception) -> str:
    """Return an error as one safe line: its text may be the router's."""
    code = getattr(error, "error_code", None)
    if code is None:
        return clean(str(error))
    return clean(f"error {code}, {getattr(error, 'error_desc', None) or 'no words'}")


@asynccontextmanager
async def _searching(gateway: Gateway) -> AsyncIterator["asyncio.Future[str]"]:
    """Search by multicast, and take the answer of the router alone."""
    from async_upnp_client.search import SsdpSearchListener

    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take(headers: Any) -> None:
        location = headers.get("location", "")
        answered = headers.get("_remote_addr", ("",))[0]
        is_its = answered == gateway.host and is_at(location, gateway.host)
        if is_its and not found.done():
            found.set_result(location)

    listener = SsdpSearchListener(
        callback=take,
        connect_callback=lambda: listener.async_search(),
        source=(gateway.own, 0),
        timeout=1,
        search_target=_WANTED,
    )
    await listener.async_start()
    try:
        yield found
    finally:
        listener.async_stop()


def is_at(url: str, host: str) -> bool:
    """Whether a URL is of plain HTTP at this very host."""
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname) == ("http", host) and parts.port != 0
    except ValueError:
        return False


def make_requester(host: str) -> Any:
    """Return what sends the library's HTTP requests, to `host` and nowhere else."""
    import aiohttp
    from async_upnp_client.client import UpnpRequester
    from async_upnp_client.const import HttpResponse
    from async_upnp_client.exceptions import UpnpCommunicationError

    timeout = aiohttp.ClientTimeout(total=UPNP_TIMEOUT_S)

    class Requester(UpnpRequester):
        async def async_http_request(self, http_request: "HttpRequest") -> HttpResponse:
            if not is_at(http_request.url, host):
                raise UpnpCommunicationError(f"{http_request.url}: not the router's")
            try:
                async with (
                    aiohttp.ClientSession(timeout=timeout) as session,
                    session.request(
                        http_request.method,
                        http_request.url,
                        headers=http_request.headers,
                        data=http_request.body,
                        allow_redirects=False,
                    ) as answer,
                ):
                    body = await _read(answer.content)
                    return HttpResponse(answer.status, answer.headers, body)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise UpnpCommunicationError(repr(error)) from error

    return Requester()


async def _read(content: Any) -> str:
    body = b""
    async for piece in content.iter_any():
        body += piece
        if len(body) > UPNP_MAX_BYTES:
            raise ValueError("an answer without end")
    return body.decode()
