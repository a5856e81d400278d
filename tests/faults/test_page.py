from pathlib import Path

from tests.faults.matrix import ROWS, table
from tests.faults.pairs import STATES

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "robustness.md"


def test_the_page_has_the_table_as_it_is_tested() -> None:
    assert table() in PAGE.read_text("utf-8"), f"put this there:\n{table()}"


def test_each_row_is_tested() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    tests = "".join(
        (Path(__file__).parent / f"test_{name}.py").read_text("utf-8")
        for name in ("places", "processes")
    )
    whole = {name for name in names if f'"{name}"' in tests}
    kills = {
        f"kill-{who}-{state}" for who, all_of in STATES.items() for state in all_of
    }
    elsewhere = {row.name for row in ROWS if _is_there(row.test)}
    assert whole | kills | elsewhere == set(names)


def _is_there(test: str) -> bool:
    """Whether a test that a row names exists."""
    path, _, name = test.partition("::")
    return bool(name) and f"def {name}(" in (_ROOT / path).read_text("utf-8")
