"""A ticket: an identity, and where to find it, as one line to send to somebody.

    wzp:<identity>
    wzp:<identity>?relay=host:port&tcp=port&direct=ip:port&direct=...&name=...&exp=...&sig=...

`tcp` is the relay's port for WebSockets, where it was said. `exp` is in Unix seconds.
`sig` is last: base64url without padding of the identity's signature of a domain string
and the text before "&sig=". Whatever says more than the identity alone is signed, so
nobody can send callers of X to a place of their own. A ticket is not secret, and
replaces no pin. Unknown parameters are newer versions'.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, unquote

from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.paths import MAX_CANDIDATES
from wzp_cli.defaults.program import MAX_TICKET_CHARACTERS
from wzp_cli.errors import IdentityError, LocalProtocolError, UsageError
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.text import clean

__all__ = ["Ticket"]

_SCHEME = "wzp:"
_SIGNATURE = "&sig="
_DOMAIN: Final = b"wzp ticket 1\0"
_SERVER_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_EXPIRES = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whom to call, and where they can be found.

    Attributes:
        relay: The relay where they are registered.
        direct: Numeric addresses where they accept direct dials.
        name: What they call themselves: cleaned, not verified.
        expires: Unix seconds from which the ticket is refused; None for never.
    """

    identity: Identity
    relay: HostPort | None = None
    direct: tuple[Address, ...] = ()
    name: str = ""
    expires: int | None = None

    def format(self, keypair: Keypair | None = None) -> str:
        """Return the ticket as text, signed with `keypair` if it says where.

        Raises:
            LocalProtocolError: It has to be signed and `keypair` is not its identity's.
        """
        parameters = "&".join(f"{key}={value}" for key, value in self._parameters())
        if not parameters:
            return f"{_SCHEME}{self.identity}"
        if keypair is None or keypair.identity != self.identity:
            raise LocalProtocolError("a ticket is signed by its own identity")
        text = f"{_SCHEME}{self.identity}?{parameters}"
        return text + _SIGNATURE + _format_signature(keypair.sign(_signed(text)))

    @classmethod
    def parse(cls, text: str, now: float) -> Self:
        """Read a ticket that is valid at `now` (Unix seconds).

        Raises:
            UsageError: It is no ticket; the sentence says why.
            IdentityError: Its signature is missing or wrong, or it has expired.
        """
        text = text.strip()
        if not text.startswith(_SCHEME):
            raise UsageError(f'A ticket starts with "{_SCHEME}".')
        if len(text) > MAX_TICKET_CHARACTERS or not text.isascii():
            raise UsageError(
                f"A ticket has at most {MAX_TICKET_CHARACTERS} characters, all ASCII."
            )
        who, asks, _ = text.removeprefix(_SCHEME).partition("?")
        identity = Identity.parse(who)
        if not asks:
            return cls(identity)
        return cls._from_parameters(identity, _verified(text, identity), now)

    @classmethod
    def _from_parameters(cls, identity: Identity, parameters: str, now: float) -> Self:
        fields = _split_parameters(parameters)
        expires = _parse_expires(_single(fields, "exp"))
        if expires is not None and now >= expires:
            raise IdentityError("The ticket has expired. Ask for a new one.")
        relay, direct = _single(fields, "relay"), fields.get("direct", [])
        if len(direct) > MAX_CANDIDATES:
            raise UsageError(f"A ticket names at most {MAX_CANDIDATES} addresses.")
        return cls(
            identity,
            relay=None if relay is None else _parse_relay(relay, fields),
            direct=tuple(_parse_address(address) for address in direct),
            name=clean(_single(fields, "name") or ""),
            expires=expires,
        )

    def _parameters(self) -> list[tuple[str, str]]:
        relay = [] if self.relay is None else [("relay", self.relay.server)]
        if self.relay is not None and self.relay.tcp is not None:
            relay.append(("tcp", str(self.relay.tcp)))
        direct = [("direct", str(address)) for address in self.direct]
        name = [("name", clean(self.name))] if clean(self.name) else []
        expires = [] if self.expires is None else [("exp", str(self.expires))]
        fields = relay + direct + name + expires
        return [(key, quote(value, safe=":[]")) for key, value in fields]


def _signed(text: str) -> bytes:
    return _DOMAIN + text.encode("ascii")


def _format_signature(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).decode("ascii").rstrip("=")


def _parse_signature(text: str) -> bytes:
    """Return the bytes of `text`; b"" where they could be written in another way."""
    try:
        signature = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return signature if _format_signature(signature) == text else b""


def _verified(text: str, identity: Identity) -> str:
    """Return the signed parameters of the ticket `text`."""
    signed, has_signature, signature = text.rpartition(_SIGNATURE)
    if not has_signature:
        raise IdentityError("The ticket says where to call, but is not signed.")
    if not identity.verifies(_parse_signature(signature), _signed(signed)):
        raise IdentityError("The ticket's signature is wrong: it was changed or cut.")
    return signed.partition("?")[2]


def _split_parameters(parameters: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for parameter in parameters.split("&"):
        key, has_value, value = parameter.partition("=")
        if not has_value:
            raise UsageError("The ticket has a parameter without a value.")
        try:
            fields.setdefault(key, []).append(unquote(value, errors="strict"))
        except UnicodeDecodeError as error:
            raise UsageError("The ticket has a value that is not UTF-8.") from error
    return fields


def _single(fields: dict[str, list[str]], key: str) -> str | None:
    values = fields.get(key, [])
    if len(values) > 1:
        raise UsageError(f'The ticket says "{key}" more than once.')
    return values[0] if values else None


def _parse_relay(text: str, fields: dict[str, list[str]]) -> HostPort:
    tcp = _single(fields, "tcp")
    try:
        relay = HostPort.parse(text)
        relay = relay if tcp is None else relay._replace(tcp=_parse_port(tcp))
    except ValueError as error:
        raise UsageError("The ticket's relay is no host with a port.") from error
    if not _SERVER_NAME.fullmatch(relay.host):
        raise UsageError("The ticket's relay has no proper host name.")
    return relay


def _parse_port(text: str) -> int:
    return HostPort.parse(f"-:{text}").port


def _parse_address(text: str) -> Address:
    try:
        address = Address.parse(text)
        if "%" in address.host:
            raise ValueError("a scope means nothing on another machine")
        return Address(str(address.ip), address.port)
    except ValueError as error:
        raise UsageError("The ticket has a wrong direct address.") from error


def _parse_expires(text: str | None) -> int | None:
    if text is None:
        return None
    if not _EXPIRES.fullmatch(text):
        raise UsageError("The ticket's expiry is no time.")
    return int(text)
