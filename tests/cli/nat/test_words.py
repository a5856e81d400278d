import pytest

from wzp_cli.cli.nat import words
from wzp_cli.protocol.nat.advice import Advice, Cure, Reason, Why
from wzp_cli.protocol.nat.expectation import Measured, expected
from wzp_cli.protocol.nat.forecast import PEERS, Outcome


@pytest.mark.parametrize("why", Why)
def test_every_reason_is_a_sentence(why: Why) -> None:
    for reason in (Reason(why), Reason(why, hop=2, layers=3)):
        said = words.explained(reason)
        assert said.endswith(".")
        assert said[0].isupper()
        assert "None" not in said or reason.layers is None
        assert "{" not in said


@pytest.mark.parametrize("cure", Cure)
def test_every_cure_is_a_sentence(cure: Cure) -> None:
    for advice in (Advice(cure), Advice(cure, router="192.168.88.1", hop=2)):
        said = words.advised(advice)
        assert said.endswith(".")
        assert "{" not in said
        assert "None" not in said


def test_where_it_is_known_the_place_is_named() -> None:
    carrier = Reason(Why.CARRIER_NAT, hop=2)
    assert "behind the router (hop 2)" in words.explained(carrier)
    upnp = Advice(Cure.PORT_MAPPING, router="192.168.88.1")
    assert "on the router at 192.168.88.1" in words.advised(upnp)
    assert "on the router:" in words.advised(Advice(Cure.PORT_MAPPING))


def test_every_kind_of_peer_has_a_name() -> None:
    assert list(words.PEER_NAMES) == list(PEERS)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.DIRECT, "direct, 0.2 s"),
        (Outcome.PREDICTION, "direct, by predicting ports, 0.6 s"),
        (
            Outcome.MUTUAL_PREDICTION,
            "direct in 91 of 100 calls, 0.9 s; else by relay",
        ),
        (Outcome.SEARCH, "direct, after a search, 2.5 s (up to 7.7 s)"),
        (Outcome.RELAY, "by relay"),
    ],
)
def test_how_a_call_goes(outcome: Outcome, said: str) -> None:
    assert words.going(outcome, expected(outcome)) == said


def test_round_trips() -> None:
    for ms, said in (
        (0.3, "0.3 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (41.2, "41 ms"),
    ):
        assert words.milliseconds(ms) == said


def test_what_is_not_known() -> None:
    assert words.going(None, None) == "not known: too little was measured"
    assert words.going(Outcome.DIRECT, Measured(100, 10, 21)) == (
        "direct, 0.01 s (up to 0.02 s)"
    )
