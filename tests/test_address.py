import pytest

from wzp_cli.address import Address, HostPort


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1:4433", "192.0.2.1", 4433),
        ("[2001:DB8::1]:1", "2001:db8::1", 1),
        ("[::ffff:192.0.2.1]:65535", "192.0.2.1", 65535),
    ],
)
def test_numeric_addresses(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == (host, port, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:1",
        "192.0.2.1",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "[::1",
        "[::1]x:1",
        "[fe80::1%eth0]:80",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Address.parse(text)


def test_an_address_is_written_as_it_is_read() -> None:
    for text in ("192.0.2.1:4433", "[2001:db8::1]:4433"):
        assert str(Address.parse(text)) == text


def test_a_server_may_go_without_a_port() -> None:
    for text, host in (("r1.example",) * 2, ("::1", "::1"), ("[::1]", "::1")):
        assert HostPort.parse(text, default_port=4433) == HostPort(host, 4433)
    with pytest.raises(ValueError, match="port"):
        HostPort.parse("r1.example")


@pytest.mark.parametrize(
    "text",
    [
        *("r1:٣", "r1:-1", "r1:", ":1"),
        *("[[2]:1", "[r1]:1", "[\x12]:1", "r\x121:1", "r 1:1", "r[1:1"),
    ],
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        HostPort.parse(text)


def test_a_relay_may_have_a_tcp_port() -> None:
    for text in ("r1.example:1/tcp=8443", "[::1]:1/tcp=8443"):
        relay = HostPort.parse_relay(text)
        assert (str(relay), relay.tcp) == (text, 8443)
        assert relay.server == text.partition("/")[0]
    bare = HostPort.parse_relay("r1.example/tcp=8443", default_port=4433)
    assert bare == HostPort("r1.example", 4433, 8443)
    assert HostPort.parse_relay("::1", default_port=4433) == HostPort("::1", 4433)


@pytest.mark.parametrize(
    "text",
    [
        "r1/tcp=0",
        "r1/tcp=",
        "r1/tcp=a",
        "r1/tcp=1:2",
        "r1/udp=1",
        "/tcp=1",
        "r1/tcp=1/tcp=2",
    ],
)
def test_what_is_no_relay(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        HostPort.parse_relay(text, default_port=4433)
    with pytest.raises(ValueError, match=r".+"):
        HostPort.parse("r1/tcp=1", default_port=4433)


def test_a_subscriber_is_an_ipv4_host_or_an_ipv6_64() -> None:
    one = Address("2001:db8:1:2::1", 1).subscriber
    assert one == Address("2001:db8:1:2:ffff:ffff:ffff:ffff", 9).subscriber
    assert one != Address("2001:db8:1:3::1", 1).subscriber
    assert Address("fe80::1%eth0", 1).subscriber == Address("fe80::2", 1).subscriber
    assert Address("192.0.2.1", 1).subscriber == "192.0.2.1"


def test_an_address_of_tcp_is_another_one_and_says_so() -> None:
    by_udp = Address("2001:db8::1", 443)
    by_tcp = by_udp._replace(tunnel=1)
    assert by_tcp != by_udp
    assert (by_udp.is_tcp, by_tcp.is_tcp) == (False, True)
    assert str(by_tcp) == "[2001:db8::1]:443/tcp"
    with pytest.raises(ValueError, match="not an address"):
        Address.parse(str(by_tcp))
