from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping
from wzp_cli.protocol.nat.forecast import Verdict


def test_the_words_are_those_of_the_command_line() -> None:
    words = {
        *("endpoint-independent", "address-dependent", "address-and-port-dependent"),
        *("endpoint-dependent", "none", "unknown"),
    }
    assert {m.value for m in Mapping} == {f.value for f in Filtering} == words
    assert {a.value for a in Allocation} == {
        *("preserving", "sequential", "random", "unknown")
    }
    assert {v.value for v in Verdict} == {
        *("likely", "limited", "relay-only", "blocked", "unknown")
    }
