from tests.netlab.nats import KINDS
from tests.netlab.truths import TRUTHS, wrong, wrong_or_unknown


def test_every_kind_says_what_is_true_of_it() -> None:
    assert TRUTHS.keys() == KINDS.keys()
    assert len(TRUTHS) >= 16


def test_what_is_left_open_is_not_wrong() -> None:
    truth = {"mapping": "none", "hairpinning": True, "port_delta": None}
    found = {"mapping": "unknown", "hairpinning": False, "port_delta": None}
    false = {"hairpinning": False}
    assert wrong_or_unknown(found, truth) == {"mapping": "unknown"} | false
    assert wrong(found, truth) == false
    assert wrong_or_unknown(truth, truth) == {}
