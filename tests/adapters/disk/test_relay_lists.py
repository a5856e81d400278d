import sys
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.relay_lists import read_identities, read_token, read_tokens
from wzp_cli.errors import ConfigError
from wzp_cli.protocol.names.identity import Keypair


def written(folder: Path, text: str, mode: int = 0o640) -> Path:
    path = folder / "list"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_tokens_one_a_line_with_comments(tmp_path: Path) -> None:
    path = written(tmp_path, "# for the office\nsesame\n\n  kümmel # Bob\r\nsesame\n")
    assert read_tokens(path) == {"sesame", "kümmel"}
    assert read_tokens(written(tmp_path, "")) == frozenset()


def test_the_one_token_of_a_client(tmp_path: Path) -> None:
    assert read_token(written(tmp_path, "sesame\n")) == "sesame"
    for text in ("", "one\ntwo\n"):
        with pytest.raises(ConfigError, match="must be one"):
            read_token(written(tmp_path, text))


def test_identities_and_what_the_operator_wrote_beside_them(tmp_path: Path) -> None:
    alice, bob = Keypair.generate().identity, Keypair.generate().identity
    path = written(tmp_path, f"{alice}  Alice, desk\n{bob}#\n", 0o644)
    assert read_identities(path) == {alice.key, bob.key}


@pytest.mark.parametrize("line", ["two words", "x" * 257])
def test_a_line_that_is_no_token(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="line 2: a token has"):
        read_tokens(written(tmp_path, f"good\n{line}\n"))


def test_a_line_that_is_no_identity_names_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, f"{Keypair.generate().identity}\nalice\n")
    with pytest.raises(ConfigError, match=f"{path}, line 2: An identity starts"):
        read_identities(path)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_tokens(tmp_path / "none")
    with pytest.raises(ConfigError, match="directory"):
        read_identities(tmp_path)
    path = written(tmp_path, "")
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_identities(path)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are another thing there")
def test_tokens_that_every_user_can_read_are_refused_with_the_cure(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "sesame\n", 0o644)
    with pytest.raises(ConfigError, match=f"chmod o= {path}"):
        read_tokens(path)
