"""What a router answers by UPnP: XML of its device, its services, its actions.

The library that reads it is the real one; only HTTP is not there. Whatever comes, there
is a mapper or none, a grant or a refusal.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from async_upnp_client.client import UpnpRequester
from async_upnp_client.const import HttpRequest, HttpResponse
from async_upnp_client.exceptions import UpnpCommunicationError

from fuzz._script import Script
from wzp_cli.adapters.port_mapping import upnp
from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.mapper import MappingRefused

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 700
logging.getLogger("async_upnp_client").setLevel(logging.CRITICAL)
_HERE = Gateway("10.0.0.1", "10.0.0.2")
_LOCATION = "http://10.0.0.1:49000/root.xml"
_LOOP = asyncio.new_event_loop()
_SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"

_DEVICE = f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>r</friendlyName><manufacturer>m</manufacturer><modelName>n</modelName>
<UDN>uuid:1</UDN><serviceList><service><serviceType>{_SERVICE}</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>/s.xml</SCPDURL>
<controlURL>/c</controlURL><eventSubURL>/e</eventSubURL></service></serviceList>
</device></root>""".replace("\n", "")


def _argument(name: str, way: str) -> str:
    return (
        f"<argument><name>{name}</name><direction>{way}</direction>"
        f"<relatedStateVariable>{name}</relatedStateVariable></argument>"
    )


def _scpd(types: dict[str, str]) -> str:
    taken = [
        *("NewRemoteHost", "NewExternalPort", "NewProtocol", "NewInternalPort"),
        *("NewInternalClient", "NewEnabled", "NewPortMappingDescription"),
        "NewLeaseDuration",
    ]
    mapping = "".join(_argument(name, "in") for name in taken)
    told = _argument("NewExternalIPAddress", "out")
    variables = "".join(
        f'<stateVariable sendEvents="no"><name>{name}</name>'
        f"<dataType>{types.get(name, 'string')}</dataType></stateVariable>"
        for name in [*taken, "NewExternalIPAddress"]
    )
    return (
        '<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0">'
        "<actionList><action><name>AddPortMapping</name><argumentList>"
        f"{mapping}</argumentList></action><action><name>GetExternalIPAddress</name>"
        f"<argumentList>{told}</argumentList></action></actionList>"
        f"<serviceStateTable>{variables}</serviceStateTable></scpd>"
    )


_SCPD = _scpd(
    {
        "NewExternalPort": "ui2",
        "NewInternalPort": "ui2",
        "NewEnabled": "boolean",
        "NewLeaseDuration": "ui4",
    }
)


def _reply(action: str, inside: str) -> str:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<u:{action}Response xmlns:u="{_SERVICE}">{inside}</u:{action}Response>'
        "</s:Body></s:Envelope>"
    )


_FAULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
    "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
    '<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>718</errorCode>'
    "<errorDescription>Conflict</errorDescription></UPnPError></detail></s:Fault>"
    "</s:Body></s:Envelope>"
)
_TEMPLATES = (
    _DEVICE,
    _SCPD,
    _reply("AddPortMapping", ""),
    _reply(
        "GetExternalIPAddress",
        "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>",
    ),
    _FAULT,
    '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    _DEVICE.replace("/s.xml", "http://evil.example/s.xml"),
    _reply("GetExternalIPAddress", "<NewExternalIPAddress>x</NewExternalIPAddress>"),
)
_RIGHT = bytes([0, 0, 0]), bytes([0, 1, 0]), bytes([0, 2, 0]), bytes([0, 3, 0])

SEEDS = (
    b"".join(_RIGHT),
    b"".join(_RIGHT[:2]) + bytes([1, 4, 0]) * 3,
    b"".join(_RIGHT[:3]) + bytes([0, 7, 0]),
    bytes([0, 6, 0]),
    bytes([0, 5, 0]),
    bytes([0, 0, 1, 1, 40, 5, 5]) + b"major" + _RIGHT[1],
    b"\2\x06<root>",
)


class _Requester(UpnpRequester):
    """HTTP as a script has it: whole answers, or right ones changed somewhere."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def async_http_request(self, http_request: HttpRequest) -> HttpResponse:
        if not upnp.is_at(http_request.url, _HERE.host):
            raise UpnpCommunicationError("not the router's")
        if not self.script.goes_on:
            raise UpnpCommunicationError("silent")
        how = self.script.byte()
        text = self.changed() if how % 4 < 2 else _text(self.script.chunk())
        return HttpResponse(500 if how % 2 else 200, {}, text)

    def changed(self) -> str:
        """Return a right answer with some pieces exchanged."""
        text = self.script.pick(_TEMPLATES)
        for _ in range(self.script.byte() % 4):
            at, length = self.script.number(2) % max(1, len(text)), self.script.byte()
            text = text[:at] + _text(self.script.chunk()) + text[at + length % 64 :]
        return text


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def one(data: bytes) -> None:
    """Find a router, map a port and end the mapping."""
    _LOOP.run_until_complete(_use(Script(data)))


async def _use(script: Script) -> None:
    requester = _Requester(script)
    with mock.patch.multiple(
        upnp, make_requester=lambda host: requester, _searching=_found
    ):
        mapper = await upnp.find_upnp(_HERE)
    if mapper is None:
        return
    try:
        grant = await mapper.map(5000, None)
        assert grant.external.ip.version == 4
        await mapper.unmap(5000, grant.external)
    except MappingRefused as error:
        assert str(error).isprintable()


@asynccontextmanager
async def _found(gateway: Gateway) -> "AsyncIterator[asyncio.Future[str]]":
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    found.set_result(_LOCATION)
    yield found
