import threading
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.line_files import read_lines, write_lines, writing
from wzp_cli.errors import StateUnusable


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "lines", str.upper) == []


def test_comments_and_order_stay_whatever_changes(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("# top\na 1\n\nb 2\n# about c\nc 3")
    assert read_lines(path, str.split) == [["a", "1"], ["b", "2"], ["c", "3"]]
    write_lines(path, ["d 4", "c 5", "a 1"])
    assert path.read_text() == "# top\na 1\n\n# about c\nc 5\nd 4\n"
    write_lines(path, [])
    assert path.read_text() == "# top\n\n# about c\n"


def test_a_line_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("# numbers\n1\n\nII\n")
    with pytest.raises(StateUnusable, match=r"Line 4 of .*lines is damaged"):
        read_lines(path, int)


def test_two_lines_about_the_same_are_a_question_for_the_user(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("a 1\nb 2\nA 3\n")
    with pytest.raises(StateUnusable, match=r"Line 3 of .* the same as line 1"):
        read_lines(path, str.split)


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lines"

    def add(name: str) -> None:
        with writing(tmp_path):
            write_lines(path, [*read_lines(path, str), name])

    threads = [threading.Thread(target=add, args=(f"n{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_lines(path, str)) == [f"n{n}" for n in range(8)]
