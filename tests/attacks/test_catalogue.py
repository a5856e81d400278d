"""The catalogue is complete, and agrees with docs/security.md."""

import re

import pytest

from attacks.catalogue import HOSTILE, ROOT, Attack, Rule, Weakening, load
from attacks.table import counted
from attacks.trial import unknown_tests

RULES = load()
PAGE = (ROOT / "docs/security.md").read_text("utf-8")


def titled(rule: Rule) -> str:
    return rule.title


def test_each_rule_of_the_page_has_attacks_and_the_other_way_round() -> None:
    on_page = re.findall(r"(?m)^## (\d+)\. (.*)$", PAGE)
    assert on_page == [(str(rule.number), rule.title) for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=titled)
def test_each_attack_says_who_does_what_and_is_carried_out(rule: Rule) -> None:
    for attack in rule.attacks:
        assert attack.by in HOSTILE
        assert re.fullmatch(r"[A-Z].*[^.]", attack.does)
        assert attack.tests, attack.does
        assert unknown_tests(attack.tests) == []
        assert len(set(attack.tests)) == len(attack.tests), attack.does


@pytest.mark.parametrize("rule", RULES, ids=titled)
def test_each_rule_can_be_taken_out(rule: Rule) -> None:
    assert rule.weakenings
    for _attack, out in rule.weakenings:
        weakened = out.applied((ROOT / out.file).read_text("utf-8"))
        if out.file.endswith(".py"):
            compile(weakened, out.file, "exec")


def test_whoever_is_hostile_stands_in_the_threat_model() -> None:
    model = PAGE.partition("## Who may be hostile")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| \*\*(.+?)\*\*", model)
    assert set(rows) == set(HOSTILE)
    tried = {attack.by for rule in RULES for attack in rule.attacks}
    assert tried == set(HOSTILE)


def test_the_page_counts_what_there_is() -> None:
    table = [line for line in PAGE.splitlines() if re.match(r"\| (\d|\*\*all)", line)]
    assert table == counted(RULES)


def test_what_the_code_no_longer_says_can_not_be_taken_out() -> None:
    out = Weakening("all are let in", "x.py", old="if asked:", new="if True:")
    assert out.applied("if asked:\n    go()\n") == "if True:\n    go()\n"
    for text in ("if wanted:", "if asked: if asked:"):
        with pytest.raises(ValueError, match=r"all are let in.*not once in x\.py"):
            out.applied(text)


def test_what_can_be_taken_out_of_a_rule() -> None:
    out = Weakening("no check", "x.py", "a", "b")
    one, other = (Attack(1, "peer", does, ("t",), (out,)) for does in ("x", "y"))
    assert Rule(1, "Identity", (one, other)).weakenings == [(one, out), (other, out)]
