import os
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.adapters.disk.config_file import (
    Setting,
    edited,
    read_config_text,
    write_config,
)
from wzp_cli.errors import ConfigError, EnvironmentFault

WRITTEN = """\
# Mine.
relay = [
    "one.example",  # the near one
    "two.example",
]
port = 4000  # open in the router
"""


def test_a_key_is_replaced_where_it_stands() -> None:
    assert edited(WRITTEN, {"port": 5000}) == WRITTEN.replace(
        "port = 4000  # open in the router", "port = 5000"
    )
    text = edited(WRITTEN, {"relay": "three.example"})
    assert text == (
        '# Mine.\nrelay = "three.example"\nport = 4000  # open in the router\n'
    )


def test_a_new_key_goes_to_the_end() -> None:
    assert edited(WRITTEN, {"name": "Ada"}) == WRITTEN + 'name = "Ada"\n'
    assert edited("port = 1", {"ring": False}) == "port = 1\nring = false\n"
    assert edited("", {"gain-in": 1.5}) == "gain-in = 1.5\n"


@given(
    st.one_of(
        st.booleans(),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    )
)
def test_what_is_set_is_read_again(value: Setting) -> None:
    text = edited(WRITTEN, {"port": value, "name": value})
    read = tomllib.loads(text)
    assert (read["port"], read["name"]) == (value, value)
    assert read["relay"] == ["one.example", "two.example"]


def test_the_file_is_made_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert write_config(path, 'name = "Ada"\n').name == "Ada"
    assert read_config_text(path) == 'name = "Ada"\n'
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_there_to_read(tmp_path: Path) -> None:
    assert read_config_text(tmp_path / "none.toml") == ""


def test_what_is_not_right_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("port = 1\n")
    with pytest.raises(ConfigError, match="port"):
        write_config(path, edited("port = 1\n", {"port": 70_000}))
    with pytest.raises(ConfigError, match="not TOML"):
        write_config(path, edited("port = \n", {"name": "Ada"}))
    assert path.read_text() == "port = 1\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("port = 1\n")
    link.symlink_to(real)
    write_config(link, "port = 2\n")
    assert link.is_symlink()
    assert real.read_text() == "port = 2\n"


def test_where_it_can_not_be_written_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="--config"):
        write_config(tmp_path / "file" / "config.toml", "")
    with pytest.raises(EnvironmentFault, match="--config"):
        write_config(Path(os.devnull) / "x", "")
