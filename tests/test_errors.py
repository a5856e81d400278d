import inspect
import re

import pytest

from wzp_cli import errors
from wzp_cli.errors import WzpError

DOCUMENTED_EXITS = {1, 2, 3, 4, 5, 6, 7, 70, 78}


def classes() -> list[type[WzpError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [kind for kind in found if issubclass(kind, WzpError)]


def test_all_errors_are_offered() -> None:
    assert errors.__all__ == sorted(kind.__name__ for kind in classes())


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_each_error_has_an_exit_code_of_the_contract(kind: type[WzpError]) -> None:
    assert kind.exit_code in DOCUMENTED_EXITS


def test_each_code_names_one_error() -> None:
    codes = [kind.code for kind in classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    branch = r"^    ((?:[|`][ -]{2} |    )*)([A-Z]\w+)"
    lines = re.findall(branch, errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(stem) // 4 for stem, name in lines}
    drawn = {name for name in depths if name in errors.__all__}
    assert drawn == set(errors.__all__)
    for kind in classes():
        depth = len(kind.__mro__) - len(WzpError.__mro__)
        assert depths[kind.__name__] == depth, kind.__name__
