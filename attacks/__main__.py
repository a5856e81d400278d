"""`python3 dev.py attack`: carry the attacks out; or take the rules out, and see.

python3 dev.py attack               all attacks: does each rule hold?
python3 dev.py attack --rule 3      those of one rule
python3 dev.py attack --without     take each rule out of a copy of the tree: do the
                                    attacks succeed there, so that a test notices?
python3 dev.py attack --short       the same for one weakening of each rule, for CI

Exit code 1: an attack succeeded; or a rule could be taken out and no test noticed.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from attacks import table
from attacks.catalogue import Attack, Rule, Weakening, load
from attacks.trial import Outcome, Result, copied, run, try_without

_Out = tuple[Attack, Weakening]


def main() -> int:
    """Do as the words say; return the exit code."""
    words = _parser().parse_args()
    rules = [rule for rule in load() if words.rule in (None, rule.number)]
    if not rules:
        sys.exit(f"there is no rule {words.rule}; there are 1 to {len(load())}")
    if not (words.without or words.short):
        return _attack(rules)
    chosen = [out for rule in rules for out in _chosen(rule, short=words.short)]
    return _take_out(chosen, words.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "dev.py attack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rule", type=int, metavar="N", help="this rule alone")
    parser.add_argument("--without", action="store_true", help="take the rules out")
    parser.add_argument("--short", action="store_true", help="one of each rule: for CI")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="how many copies at once"
    )
    return parser


# --- do the rules hold? ---------------------------------------------------------


def _attack(rules: Sequence[Rule]) -> int:
    attacks = [attack for rule in rules for attack in rule.attacks]
    results = run(test for attack in attacks for test in attack.tests)
    _say(table.head(("", "by", "attack", "outcome", "s")))
    for attack in attacks:
        mine = [results[test] for test in attack.tests]
        seconds = sum(each.seconds for each in mine)
        word = _worst(mine).value
        _say(table.row(attack.rule, attack.by, attack.does, word, seconds))
    bad = {test: each for test, each in results.items() if each.failed}
    untried = {t: each for t, each in results.items() if not (each.ran or each.failed)}
    _say(table.folded(_explained({**bad, **untried})))
    held = sum(_worst([results[t] for t in a.tests]) is Outcome.HELD for a in attacks)
    _say(f"{held} of {len(attacks)} attacks held off, by {len(results)} tests.")
    return 1 if bad else 0


def _worst(results: Sequence[Result]) -> Outcome:
    order = (Outcome.BROKEN, Outcome.NOT_TRIED, Outcome.HELD)
    return min((each.outcome for each in results), key=order.index)


def _explained(results: dict[str, Result]) -> Iterator[str]:
    for test, each in results.items():
        yield f"{each.outcome.value}: {test}: {each.said}"


# --- and without them? ----------------------------------------------------------


def _chosen(rule: Rule, *, short: bool) -> Sequence[_Out]:
    return rule.weakenings[:1] if short else rule.weakenings


def _take_out(chosen: Sequence[_Out], jobs: int) -> int:
    began = time.monotonic()
    _say(table.head(("", "by", "taken out", "noticed", "s")))
    survived, telling = [], set[str]()
    with ThreadPoolExecutor(jobs) as pool:
        for (attack, out), results in zip(
            chosen, pool.map(lambda each: try_without(*each), chosen), strict=True
        ):
            noticed = [test for test, each in results.items() if each.is_noticed]
            seconds = sum(each.seconds for each in results.values())
            word = "yes" if noticed else "NO"
            telling |= set(noticed)
            _say(table.row(attack.rule, attack.by, out.what, word, seconds))
            if not noticed:
                survived.append((out, results))
    in_vain = _fails_anyway(telling)
    for out, results in survived:
        _say(f"not noticed: {out.what} ({out.file})")
        _say(table.folded(_explained(dict(results))))
    _say(
        f"{len(chosen) - len(survived)} of {len(chosen)} noticed"
        f" in {time.monotonic() - began:.0f} s."
    )
    return 1 if survived or in_vain else 0


def _fails_anyway(tests: set[str]) -> bool:
    """Whether one that noticed fails in a copy from which nothing was taken, too."""
    with copied() as tree:
        results = run(sorted(tests), tree)
    failed = {test: each for test, each in results.items() if each.failed}
    for line in _explained(failed):
        _say(table.folded([f"without any change, too: {line}"]))
    return bool(failed)


def _say(text: str) -> None:
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
