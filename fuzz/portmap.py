"""What a router answers by PCP and NAT-PMP: a grant, a refusal, or nothing of use."""

from collections.abc import Callable

from fuzz._script import Script
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol import port_mapping as pm

__all__ = ["SEEDS", "one"]

_PORT, _NONCE, _HOST = 41822, bytes(range(12)), "203.0.113.7"
_OUTSIDE = bytes(10) + b"\xff\xff" + bytes((203, 0, 113, 7))

_PCP_HEAD = bytes((2, 129, 0, 0)) + (7200).to_bytes(4, "big") + bytes(16)
_PCP = (
    _PCP_HEAD + _NONCE + bytes((17, 0, 0, 0)) + _PORT.to_bytes(2, "big") * 2 + _OUTSIDE
)
_NAT_PMP = bytes((0, 129, 0, 0)) + bytes(4) + _PORT.to_bytes(2, "big") * 2 + bytes(4)

SEEDS = (
    b"\0" + bytes((2, 128, 0, 0)) + bytes(20),
    b"\1" + _PCP,
    b"\2" + _PCP,
    b"\1" + _PCP[:-16] + bytes(16),
    b"\3" + bytes((0, 128, 0, 0)) + bytes(4) + bytes((203, 0, 113, 7)),
    b"\4" + _NAT_PMP,
    b"\5" + _NAT_PMP,
    b"\0" + bytes((0, 128, 0, 1)) + bytes(4),
)

_READERS: tuple[Callable[[bytes], object], ...] = (
    pm.read_pcp_announce,
    lambda answer: pm.read_pcp_grant(answer, _PORT, _NONCE),
    lambda answer: pm.read_pcp_end(answer, _PORT, _NONCE),
    pm.read_nat_pmp_address,
    lambda answer: pm.read_nat_pmp_grant(answer, _PORT, _HOST),
    lambda answer: pm.read_nat_pmp_end(answer, _PORT),
)


def one(data: bytes) -> None:
    """Read one answer, as that to one of the requests."""
    script = Script(data)
    read = script.pick(_READERS)
    answer = script.rest()
    try:
        found = read(answer)
    except RemoteProtocolError:
        return
    if isinstance(found, pm.Grant):
        assert found.external.ip.version == 4
        assert not found.external.ip.is_unspecified
        assert 1 <= found.external.port <= 65535
        assert 0 <= found.lifetime_s < 1 << 32
        assert _NONCE in answer or read is _READERS[4]
    elif isinstance(found, int):
        assert pm.refusal(found, pcp=read in _READERS[:3])
