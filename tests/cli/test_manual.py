from wzp_cli.adapters.disk.config import config_keys
from wzp_cli.cli.app import COMMANDS
from wzp_cli.cli.commands.config import template
from wzp_cli.cli.manual import flag_of_key, pages
from wzp_cli.cli.schema import commands


def test_each_command_has_a_page() -> None:
    names = [page.name for page in pages()]
    assert names[0] == ""
    assert {command.name for command in commands()} <= set(names)
    assert [name for name in names[1:] if " " not in name] == list(COMMANDS)


def test_a_page_has_flags_with_their_values() -> None:
    (ping,) = (page for page in pages() if page.name == "ping")
    written = {flag.written: flag for flag in ping.own}
    assert "-c, --count N" in written
    assert "--relay HOST[:PORT]" in written
    assert "--portmap, --no-portmap" in written
    assert written["PEER"].is_argument
    assert {flag.names[-1] for flag in ping.flags if flag.everywhere} >= {
        "--json",
        "--help",
        "--version",
        "--no-input",
    }


def test_keys_of_the_file_are_flags() -> None:
    flag = flag_of_key("auto-answer")
    assert flag is not None
    assert flag.value == "contacts|all|off"
    assert flag_of_key("no-such-key") is None


def test_a_new_file_explains_each_key() -> None:
    lines = template().splitlines()
    for key in config_keys():
        at = lines.index(f"#{key} =")
        assert lines[at - 1].lstrip("# "), f"nothing explains {key}"
