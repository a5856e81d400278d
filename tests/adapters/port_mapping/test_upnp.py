"""What a router may make of the library; a real one: the laboratory's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any, cast

import pytest
from aiohttp import web
from async_upnp_client.const import HttpRequest
from async_upnp_client.exceptions import UpnpActionError, UpnpCommunicationError

from wzp_cli.adapters.port_mapping import upnp
from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.mapper import MappingRefused
from wzp_cli.adapters.port_mapping.upnp import UpnpMapper, find_upnp, make_requester
from wzp_cli.address import Address
from wzp_cli.defaults.paths import UPNP_MAX_BYTES, UPNP_PORT_TRIES
from wzp_cli.protocol.port_mapping import Grant

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HERE = Gateway("10.0.0.1", "10.0.0.2")
DEVICE = (
    '<root xmlns="urn:schemas-upnp-org:device-1-0"><device>'
    "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
    "<UDN>uuid:1</UDN><friendlyName>r</friendlyName><manufacturer>m</manufacturer>"
    "<modelName>n</modelName><serviceList><service>"
    "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
    "<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>SCPD_URL</SCPDURL>"
    "<controlURL>/c</controlURL><eventSubURL>/e</eventSubURL></service></serviceList>"
    "</device></root>"
)
ACTIONS = (
    '<scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList><action><name>A</name>'
    "<argumentList><argument><name>x</name><direction>in</direction>"
    "<relatedStateVariable>nowhere</relatedStateVariable></argument></argumentList>"
    "</action></actionList><serviceStateTable></serviceStateTable></scpd>"
)
"""An action whose argument no state variable describes."""


@asynccontextmanager
async def http_server(handler: Handler) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


def get(url: str) -> HttpRequest:
    return HttpRequest("GET", url, {}, None)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("http://10.0.0.1:49000/rootDesc.xml", True),
        ("http://10.0.0.1/", True),
        ("https://10.0.0.1/", False),
        ("http://10.0.0.2/", False),
        ("http://10.0.0.1@evil.example/", False),
        ("http://10.0.0.1:0/", False),
        ("http://10.0.0.1:70000/", False),
        ("http://[10.0.0.1/", False),
        ("", False),
    ],
)
def test_urls_have_to_be_the_routers(url: str, right: bool) -> None:
    assert upnp.is_at(url, HERE.host) is right


def test_an_answer_is_read() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<root/>")

    async def main() -> None:
        async with http_server(answer) as url:
            read = await make_requester("127.0.0.1").async_http_request(get(url))
            assert (read.status_code, read.body) == (200, "<root/>")

    asyncio.run(main())


def test_nothing_is_asked_of_anybody_else() -> None:
    async def main() -> None:
        requester = make_requester(HERE.host)
        with pytest.raises(UpnpCommunicationError, match="not the router's"):
            await requester.async_http_request(get("http://127.0.0.1:1/"))

    asyncio.run(main())


def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async def main() -> None:
        async with http_server(answer) as url:
            read = await make_requester("127.0.0.1").async_http_request(get(url))
            assert read.status_code == 302
        assert asked == ["/"]

    asyncio.run(main())


@pytest.mark.parametrize("body", [bytes(UPNP_MAX_BYTES + 1), b"\xff\xfe"])
def test_answers_without_end_or_that_are_no_text(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async def main() -> None:
        async with http_server(answer) as url:
            with pytest.raises(UpnpCommunicationError):
                await make_requester("127.0.0.1").async_http_request(get(url))

    asyncio.run(main())


def test_without_the_extra_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upnp, "is_installed", lambda: False)
    assert asyncio.run(find_upnp(HERE)) is None


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        DEVICE.replace("SCPD_URL", "/actions"),
    ],
)
def test_xml_that_the_library_does_not_expect_finds_nothing(
    xml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=ACTIONS if request.path == "/actions" else xml)

    async def main() -> None:
        async with http_server(answer) as url:
            location: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            location.set_result(url)

            @asynccontextmanager
            async def found(_: Gateway) -> AsyncIterator[asyncio.Future[str]]:
                yield location

            monkeypatch.setattr(upnp, "_searching", found)
            assert await find_upnp(Gateway("127.0.0.1", "127.0.0.1")) is None

    asyncio.run(main())


class _Device:
    """A router's device as the library shows it, with what it refuses."""

    def __init__(self, *errors: int, external: str | None = "11.0.0.9") -> None:
        self.errors = list(errors)
        self.external = external
        self.asked: list[tuple[int, int]] = []
        self.deleted: list[int] = []

    async def async_add_port_mapping(
        self,
        remote_host: IPv4Address,
        external_port: int,
        protocol: str,
        internal_port: int,
        internal_client: IPv4Address,
        enabled: bool,
        description: str,
        lease_duration: timedelta,
    ) -> None:
        assert (str(remote_host), protocol, enabled) == ("0.0.0.0", "UDP", True)
        assert (internal_port, str(internal_client)) == (4433, HERE.own)
        self.asked.append((external_port, lease_duration.seconds))
        self._maybe_refuse()

    async def async_get_external_ip_address(self) -> str | None:
        return self.external

    async def async_delete_port_mapping(
        self, remote_host: IPv4Address, external_port: int, protocol: str
    ) -> None:
        assert (str(remote_host), protocol) == ("0.0.0.0", "UDP")
        self.deleted.append(external_port)
        self._maybe_refuse()

    def _maybe_refuse(self) -> None:
        if self.errors:
            raise UpnpActionError(error_code=self.errors.pop(0), error_desc="no")


def mapper(device: _Device) -> UpnpMapper:
    return UpnpMapper(HERE, cast(Any, device))


def test_a_mapping_and_its_renewal() -> None:
    device = _Device()

    async def main() -> None:
        granted = await mapper(device).map(4433, None)
        assert granted == Grant(Address("11.0.0.9", 4433), 3600)
        await mapper(device).map(4433, Address("11.0.0.9", 5000))
        await mapper(device).unmap(4433, Address("11.0.0.9", 5000))

    asyncio.run(main())
    assert device.asked == [(4433, 3600), (5000, 3600)]
    assert device.deleted == [5000]


def test_a_port_that_is_taken_is_left_to_who_has_it() -> None:
    device = _Device(718)
    granted = asyncio.run(mapper(device).map(4433, None))
    assert granted.external.port == device.asked[1][0] != 4433
    assert granted.external.port >= 20_000


def test_a_router_without_leases() -> None:
    device = _Device(725)
    asyncio.run(mapper(device).map(4433, None))
    assert device.asked == [(4433, 3600), (4433, 0)]


@pytest.mark.parametrize(
    "device", [_Device(606), _Device(*[718] * UPNP_PORT_TRIES), _Device(external=None)]
)
def test_refusals(device: _Device) -> None:
    with pytest.raises(MappingRefused):
        asyncio.run(mapper(device).map(4433, None))


def test_to_end_what_is_gone_already_is_no_fault() -> None:
    granted = Address("11.0.0.9", 5000)
    asyncio.run(mapper(_Device(714)).unmap(4433, granted))
    with pytest.raises(MappingRefused):
        asyncio.run(mapper(_Device(501)).unmap(4433, granted))
