import json

import msgspec
import pytest

from tests.cli.nat.samples import HOME, MAPPED, PHONE, SAMPLES
from wzp_cli.cli.nat.document import AskedServer, DetectedNat, diagnosis_of
from wzp_cli.cli.nat.redact import redacted

change = msgspec.structs.replace


def texts(document: DetectedNat) -> str:
    return json.dumps(msgspec.to_builtins(document))


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_nothing_tells_who_it_is(document: DetectedNat) -> None:
    told = texts(redacted(document))
    for secret in (
        "203.0.113",
        "198.51.100",
        "2001:db8::7",
        "r1.example",
        "r2.example",
    ):
        assert secret not in told
    assert "stun.example.net" in told or len(document.servers) == 1  # a public one


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_what_was_measured_stays(document: DetectedNat) -> None:
    masked = redacted(document)
    ours, theirs = diagnosis_of(document), diagnosis_of(masked)
    assert ours.facts == theirs.facts
    assert masked.advice == document.advice  # private addresses stay
    assert masked.reasons == document.reasons


def test_what_the_masks_look_like() -> None:
    masked = redacted(MAPPED)
    assert masked.reflexive == "203.0.x.x:41822"
    assert masked.reflexive_v6 == "[2001:x:x]:41822"
    assert masked.local == ["192.168.88.10:41822"]
    assert masked.hops == ["192.168.88.1", "203.0.x.x-2"]
    assert masked.preferred_relay == "relay-1:4433"
    assert [each.server for each in masked.servers] == [
        "relay-1:4433",
        "relay-2:4433",
        "stun.example.net:3478",
    ]
    assert masked.servers[1].error == "no answer from 198.51.x.x:4433"
    assert redacted(PHONE).hops == ["192.168.1.1", "100.64.0.1", None, "203.0.x.x"]


def test_what_differs_still_does_and_what_is_the_same_too() -> None:
    other = change(HOME.servers[2], reflexive="203.0.113.8:41822")
    masked = redacted(change(HOME, servers=[HOME.servers[0], other]))
    first, second = (each.reflexive for each in masked.servers)
    assert first == masked.reflexive
    assert second != first


@pytest.mark.parametrize(
    ("host", "masked"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("172.31.0.1", "172.31.0.1"),
        ("100.127.0.1", "100.127.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("169.254.1.1", "169.254.1.1"),
        ("8.8.8.8", "8.8.x.x"),
        ("172.32.0.1", "172.32.x.x"),
        ("[fe80::1]", "[fe80::1]"),
        ("[fd00::2]", "[fd00::2]"),
        ("[::1]", "[::1]"),
        ("[2a00:1450:4001:80b::200e]", "[2a00:x:x]"),
        ("[::ffff:8.8.8.8]", "[0:x:x]"),
        ("1.2.3", "1.2.3"),
        ("999.1.1.1", "999.1.1.1"),
    ],
)
def test_addresses_of_every_kind(host: str, masked: str) -> None:
    found = redacted(change(HOME, hops=[host.strip("[]")], reflexive=f"{host}:9"))
    assert found.hops == [masked.strip("[]")]
    assert found.reflexive == f"{masked}:9"


def test_names_in_what_went_wrong() -> None:
    error = "no address was found for r1.example: r1.example.org is another"
    asked = AskedServer(
        server="r1.example:4433", kind="relay", reflexive=None, rtt_ms=None, error=error
    )
    (masked,) = redacted(change(HOME, servers=[asked])).servers
    assert masked.error is not None
    assert "r1.example:" not in masked.error
