import ipaddress

import pytest

from wzp_cli.address import Address
from wzp_cli.errors import PeerUnreachable, UsageError
from wzp_cli.protocol.lan import (
    Neighbour,
    announcement,
    check_beginning,
    merged,
    picked,
    read,
)
from wzp_cli.protocol.names.identity import Keypair

ADA = Keypair.from_seed(b"\1" * 32).identity
BOB = Keypair.from_seed(b"\2" * 32).identity
NETWORKS = [ipaddress.ip_network(net) for net in ("192.168.1.0/24", "fd00:1::/64")]
HERE = Address("192.168.1.7", 41822)


def sent(told: dict[str, str]) -> dict[bytes, bytes | None]:
    """Return a TXT record as it comes from the network."""
    return {key.encode(): value.encode() for key, value in told.items()}


def test_what_one_announces_another_reads() -> None:
    told = announcement(ADA, "Ada \N{SNOWMAN}")
    assert told == {"v": "1", "id": str(ADA), "name": "Ada \N{SNOWMAN}"}
    hosts = ["192.168.1.7", "fd00:1::7"]
    both = (HERE, Address("fd00:1::7", 41822))
    assert read(sent(told), hosts, 41822, NETWORKS) == Neighbour(
        ADA, "Ada \N{SNOWMAN}", both
    )
    assert "name" not in announcement(ADA, " \n")


def test_a_name_fits_its_string_whole() -> None:
    name = announcement(ADA, "\N{SNOWMAN}" * 500)["name"]
    assert set(name) == {"\N{SNOWMAN}"}
    assert len(f"name={name}".encode()) <= 255


def test_a_strangers_name_moves_no_cursor() -> None:
    told = {
        **sent(announcement(ADA, "")),
        b"name": b"\x1b[2JBob\r\n\xe2\x80\xaeeve\xff",
    }
    found = read(told, ["192.168.1.7"], 1, NETWORKS)
    assert found is not None
    assert found.name.isprintable()
    assert "\u202e" not in found.name


@pytest.mark.parametrize(
    "host",
    ["192.168.2.7", "8.8.8.8", "127.0.0.1", "224.0.0.251", "0.0.0.0", "::", "fe80::1",
     "fd00:2::7", "::ffff:8.8.8.8", "not a number"],
)  # fmt: skip
def test_nobody_points_us_out_of_this_network(host: str) -> None:
    found = read(sent(announcement(ADA, "")), [host], 4433, NETWORKS)
    assert found is None


@pytest.mark.parametrize(
    "told",
    [{b"id": None}, {b"v": b"2"}, {b"v": None}, {b"id": b"\xff"}, {b"id": b"wzp1x"}],
)
def test_what_is_no_announcement(told: dict[bytes, bytes | None]) -> None:
    whole = sent(announcement(ADA, ""))
    assert read({**whole, **told}, [HERE.host], 1, NETWORKS) is None
    assert read({}, [HERE.host], 1, NETWORKS) is None
    for port in (None, 0):
        assert read(whole, [HERE.host], port, NETWORKS) is None
    assert read(whole, [], 1, NETWORKS) is None


def test_of_many_addresses_some_are_dialled() -> None:
    hosts = [f"192.168.1.{n}" for n in range(1, 200)]
    found = read(sent(announcement(ADA, "")), hosts, 4433, NETWORKS)
    assert found is not None
    assert len(found.addresses) == 8


def test_the_devices_of_one_are_one() -> None:
    other = Address("192.168.1.8", 5)
    one = Neighbour(ADA, "", (HERE,)), Neighbour(ADA, "Ada", (HERE, other))
    bob = Neighbour(BOB, "Zoe", (other,))
    assert merged([bob, *one]) == [Neighbour(ADA, "Ada", (HERE, other)), bob]


def test_an_identity_is_found_by_its_beginning_and_by_nothing_else() -> None:
    here = [Neighbour(ADA, "Bob", (HERE,)), Neighbour(BOB, "Bob", (HERE,))]
    for text in (str(BOB), BOB.short, BOB.short[:6]):
        assert picked(here, text).identity == BOB
    with pytest.raises(PeerUnreachable, match="not announced") as caught:
        picked(here[:1], BOB.short)
    assert "--lan" in caught.value.__notes__[0]
    for text in ("bob", "Bob", "", "wzp1", "\x1b[2J"):
        with pytest.raises(UsageError, match="wzp lan"):
            picked(here, text)
    with pytest.raises(UsageError, match="2 identities"):
        picked([here[0], here[0]], ADA.short)
    assert check_beginning(str(ADA)) == str(ADA).removeprefix("wzp1")
