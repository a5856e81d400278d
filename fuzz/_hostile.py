"""Somebody hostile, with keys of their own, who says what a script says.

What they say is rightly encrypted: aioquic's own connection without our rules
(tests/support/rogue.py), on a host of the world. They are silent beside.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from aioquic import tls

from fuzz import _packets
from fuzz._script import Script
from tests.support.fakenet import Host
from tests.support.rogue import Puppet, Rogue, papers_of
from tests.support.stage import Stage
from wzp_cli.address import Address
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.protocol.names.identity import Keypair

__all__ = ["Hostile", "Tamper", "dialled", "frames", "scripted"]

_FIRST_PORT = 6000
_PORTS = 50_000
_HANDSHAKE_S = 0.2

Tamper = Callable[[tls.Epoch, bytes], bytes]


class Hostile:
    """One hostile peer or client.

    Attributes:
        at: Where it is now: a new port for each link.
    """

    dials_one_in: ClassVar[int] = 1
    """Of how many scripts one may dial: a handshake takes as long as ten others."""

    def __init__(self, machine: Host, host: str, victim: Address, alpn: str) -> None:
        self.at = Address(host, _FIRST_PORT)
        self._machine, self._victim, self._alpn = machine, victim, alpn
        self._papers = Keypair.generate()
        self._puppet: Puppet | None = None

    def linked(self, endpoint: Endpoint) -> Rogue | None:
        """Return its connection if it can speak, and the endpoint has it still."""
        if self._puppet is None:
            return None
        rogue, core = self._puppet.quic, self._puppet.core
        has_keys = core._cryptos and core._cryptos[tls.Epoch.ONE_RTT].send.is_valid()
        has_link = has_keys and core._peer_cid.cid in endpoint._links
        return rogue if has_link and isinstance(rogue, Rogue) else None

    def may_dial(self, script: Script) -> bool:
        """Whether it is this script's turn."""
        return script.is_one_in(self.dials_one_in)

    def connect(self, stage: "Stage[Any]", tamper: Tamper | None = None) -> None:
        """Dial from a new port; `tamper` changes the TLS messages before they leave."""
        if self._puppet is not None:
            self._puppet.stop()
            self._puppet.wire.close()
        port = _FIRST_PORT + (self.at.port + 1 - _FIRST_PORT) % _PORTS
        self.at = Address(self.at.host, port)
        rogue = Rogue(self._alpn, papers_of(self._papers.private_key))
        rogue.tamper = tamper or (lambda epoch, messages: messages)
        self._puppet = Puppet(self._machine.wire(port), rogue)
        self._puppet.connect(self._victim)
        stage.let_pass(_HANDSHAKE_S)
        self._puppet.stop()

    def say(self, stage: "Stage[Any]", data: bytes) -> None:
        """Say something on the signalling stream, and hear what is answered."""
        assert self._puppet is not None
        self._puppet.core.send_stream_data(0, data)
        self._puppet.flush()
        stage.let_pass(0.05)
        self._puppet.stop()


def scripted(script: Script) -> Tamper:
    """Return what changes the TLS messages of one epoch as a script says."""
    epoch = script.pick((tls.Epoch.HANDSHAKE, tls.Epoch.INITIAL))
    edits = Script(script.chunk())

    def tamper(at: tls.Epoch, messages: bytes) -> bytes:
        return _packets.edited(edits, messages) if at is epoch else messages

    return tamper


def frames(script: Script) -> bytes:
    """Return some QUIC frames, right ones but for a few pieces."""
    return b"".join(
        _packets.edited(script, script.pick(_packets.FRAMES))
        for _ in range(1 + script.byte() % 3)
    )


def dialled(script: Script, hello: _packets.Hello) -> bytes:
    """Return an Initial that is rightly encrypted, whatever is in it.

    Without a source of its own it opens a handshake, where nothing was edited.
    """
    destination, source = script.take(8).ljust(8, b"d"), script.take(8)
    if not any(source) and script.is_one_in(Hostile.dials_one_in):
        source = hello.source
    if script.byte() % 2:
        payload = _packets.crypto_frame(_packets.edited(script, hello.message))
    else:
        payload = _packets.edited(script, script.pick(_packets.FRAMES))
    token = script.chunk()[:64] if script.byte() % 8 == 7 else b""
    return _packets.initial(payload[:1000], destination, source, token)
