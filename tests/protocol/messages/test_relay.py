from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.message_family import MessageFamily
from wzp_cli.protocol.messages.relay import (
    ChannelIds,
    Closed,
    Connect,
    Connected,
    Device,
    Draining,
    Enter,
    Incoming,
    Observed,
    Probed,
    ProbeMe,
    Publish,
    Published,
    Refused,
    RelayMessage,
    Reveal,
    Revealed,
    Summoned,
    TurnGranted,
    TurnWanted,
    Unpublish,
    Welcome,
)
from wzp_cli.protocol.messages.signal import Unknown

IDS = ChannelIds(send="0123456789abcdef", receive="fedcba9876543210")
IDS_JSON = '{"send":"0123456789abcdef","receive":"fedcba9876543210"}'
WHO = "wzp1" + "a" * 55
FAMILY = MessageFamily(
    RelayMessage,
    [
        (Enter(version="0.1.0"), '{"type":"enter","version":"0.1.0"}'),
        (
            Enter(version="0.1.0", token="t"),
            '{"type":"enter","version":"0.1.0","token":"t"}',
        ),
        (
            Enter(version="0.1.0", join="c.d.m"),
            '{"type":"enter","version":"0.1.0","join":"c.d.m"}',
        ),
        (
            Summoned(addresses=("192.0.2.1:4433",), ticket="c.d.m"),
            '{"type":"summoned","addresses":["192.0.2.1:4433"],"ticket":"c.d.m"}',
        ),
        (Draining(within_s=10.0), '{"type":"draining","within_s":10.0}'),
        (
            Welcome(version="0.1.0", address="192.0.2.1:9", ports=(4434, 65535)),
            '{"type":"welcome","version":"0.1.0","address":"192.0.2.1:9",'
            '"ports":[4434,65535]}',
        ),
        (Publish(), '{"type":"publish"}'),
        (
            Publish(name="desk", token="t"),
            '{"type":"publish","name":"desk","token":"t"}',
        ),
        (
            Publish(refuses=("wzp1a", "wzp1b")),
            '{"type":"publish","refuses":["wzp1a","wzp1b"]}',
        ),
        (Published(), '{"type":"published"}'),
        (Unpublish(), '{"type":"unpublish"}'),
        (
            Observed(address="[2001:db8::1]:9"),
            '{"type":"observed","address":"[2001:db8::1]:9"}',
        ),
        (
            Connect(request="1", target=WHO),
            f'{{"type":"connect","request":"1","target":"{WHO}"}}',
        ),
        (
            Connected(request="1", devices=[Device(device="d", channel=IDS)]),
            '{"type":"connected","request":"1","devices":'
            f'[{{"device":"d","channel":{IDS_JSON}}}]}}',
        ),
        (
            Refused(request="1", reason="offline"),
            '{"type":"refused","request":"1","reason":"offline"}',
        ),
        (
            Incoming(channel=IDS, caller=WHO),
            f'{{"type":"incoming","channel":{IDS_JSON},"caller":"{WHO}"}}',
        ),
        (
            Closed(channel=IDS.send),
            '{"type":"closed","channel":"0123456789abcdef"}',
        ),
        (
            Reveal(channel=IDS.send),
            '{"type":"reveal","channel":"0123456789abcdef"}',
        ),
        (
            Revealed(channel=IDS.send, address="203.0.113.7:41822"),
            '{"type":"revealed","channel":"0123456789abcdef",'
            '"address":"203.0.113.7:41822"}',
        ),
        (
            TurnWanted(channel=IDS.send),
            '{"type":"turn_wanted","channel":"0123456789abcdef"}',
        ),
        (
            TurnGranted(
                channel=IDS.send, server="t.example", username="9:n", password="p="
            ),
            '{"type":"turn_granted","channel":"0123456789abcdef",'
            '"server":"t.example","username":"9:n","password":"p="}',
        ),
        (
            ProbeMe(port=4434),
            '{"type":"probe_me","port":4434}',
        ),
        (
            ProbeMe(port=4434, to=5000, id=24 * "a"),
            '{"type":"probe_me","port":4434,"to":5000,"id":"' + 24 * "a" + '"}',
        ),
        (Probed(id=24 * "a"), '{"type":"probed","id":"' + 24 * "a" + '"}'),
    ],
)


def test_the_bytes_of_every_message() -> None:
    FAMILY.check_pinned()


def test_every_cut() -> None:
    FAMILY.check_cuts()


def test_a_newer_relay_is_not_left() -> None:
    assert FAMILY.heard(b'{"type":"drain","in_s":9}') == Unknown("drain")
    assert FAMILY.heard(b'{"type":"published","until":[]}') == Published()


@pytest.mark.parametrize(
    "channel",
    ["", "0" * 15, "0" * 17, "0" * 15 + "A", "0" * 15 + "g", "0" * 16 + "\n", None, 1],
)
def test_a_channel_id_is_16_hexadecimal_digits(channel: object) -> None:
    FAMILY.check_refused({"type": "closed", "channel": channel})
    FAMILY.check_refused({"type": "reveal", "channel": channel})
    FAMILY.check_refused({"type": "turn_wanted", "channel": channel})
    ids = {"send": IDS.send, "receive": channel}
    FAMILY.check_refused({"type": "incoming", "channel": ids, "caller": WHO})


@pytest.mark.parametrize("port", [-1, 0, 65536, 10**30, 4434.5, "4434", None, True])
def test_a_port_is_a_port(port: object) -> None:
    FAMILY.check_refused({"type": "probe_me", "port": port})
    FAMILY.check_refused(
        {"type": "welcome", "version": "", "address": "", "ports": [port]}
    )


DEVICE = {"device": "d", "channel": {"send": IDS.send, "receive": IDS.receive}}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "enter", "version": "v" * 65},
        {"type": "welcome", "version": "v" * 65, "address": ""},
        {"type": "welcome", "version": "", "address": "a" * 65},
        {"type": "welcome", "version": "", "address": "", "ports": [1] * 9},
        {"type": "publish", "name": "n" * 65},
        {"type": "publish", "token": "t" * 257},
        {"type": "observed", "address": "a" * 65},
        {"type": "connect", "request": "r" * 65, "target": WHO},
        {"type": "connect", "request": "", "target": "t" * 65},
        {"type": "connected", "request": "", "devices": [DEVICE] * 17},
        {
            "type": "connected",
            "request": "",
            "devices": [{**DEVICE, "device": "d" * 65}],
        },
        {"type": "refused", "request": "", "reason": "r" * 65},
        {"type": "revealed", "channel": IDS.send, "address": "a" * 65},
    ],
)
def test_what_is_too_long(body: dict[str, Any]) -> None:
    FAMILY.check_refused(body)


@given(FAMILY.mutations() | st.binary(max_size=100))
def test_anything_else_is_the_other_sides_fault(body: bytes) -> None:
    FAMILY.check_anything(body)


@pytest.mark.parametrize(
    "change",
    [
        {"server": "s" * 256},
        {"username": "u" * 129},
        {"password": "p" * 129},
        {"channel": "0"},
        {"server": None},
    ],
)
def test_a_grant_has_bounds(change: dict[str, object]) -> None:
    grant = {"channel": IDS.send, "server": "s", "username": "u", "password": "p"}
    FAMILY.check_refused({"type": "turn_granted", **grant, **change})
