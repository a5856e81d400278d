"""The house keeps its own rules (docs/architecture.md): each test says one of them."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.catalogue import load
from docs import draw_state_machines
from wzp_cli import errors
from wzp_cli.cli.manual import Page, pages
from wzp_cli.cli.schema import commands
from wzp_cli.events import event_names

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "wzp_cli"
MODULES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.name.startswith("__")
]

NO_TEST_MODULE = {
    "ports.py": "only types",
    "adapters/port_mapping/mapper.py": "only types",
    **{
        f"defaults/{path.name}": "numbers: tests/test_defaults.py walks them all"
        for path in (PACKAGE / "defaults").glob("[a-z]*.py")
    },
}

BINDS_UDP = {
    "endpoint/sockets/udp.py": "the one socket: open_endpoint() gets it from here",
    "endpoint/sockets/shared_port.py": "a relay's further sockets on its one port",
    "adapters/port_mapping/pcp.py": "connected to the router alone; carries no call",
}

MAKES_DATAGRAM_SOCKETS = re.compile(r"socket\([^)]*SOCK_DGRAM|create_datagram_endpoint")


def name(path: Path) -> str:
    return path.as_posix()


def body(path: Path) -> list[ast.stmt]:
    return ast.parse((PACKAGE / path).read_text("utf-8")).body


def assigned(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement gives values to."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_each_module_has_its_test_module(path: Path) -> None:
    if path.as_posix() not in NO_TEST_MODULE:
        assert (ROOT / "tests" / path.with_name(f"test_{path.name}")).is_file()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_each_module_says_what_it_is_and_what_it_offers(path: Path) -> None:
    statements = body(path)
    assert ast.get_docstring(ast.Module(statements, []))
    assert "__all__" in itertools.chain.from_iterable(map(assigned, statements))


def test_each_room_says_what_it_is_for() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_exemptions_are_about_files_that_exist() -> None:
    for path in {**NO_TEST_MODULE, **BINDS_UDP}:
        assert (PACKAGE / path).is_file()


DEFAULTS = [path for path in MODULES if path.parent.name == "defaults"]


@pytest.mark.parametrize("path", DEFAULTS, ids=name)
def test_every_default_names_its_source(path: Path) -> None:
    for statement, after in itertools.pairwise(body(path)):
        if isinstance(statement, ast.AnnAssign):
            text = after.value if isinstance(after, ast.Expr) else None
            assert isinstance(text, ast.Constant), ast.unparse(statement)
            assert "Source: " in str(text.value), ast.unparse(statement)


@pytest.mark.parametrize("kind", errors.__all__)
def test_every_error_tells_the_user_something(kind: str) -> None:
    said = getattr(errors, kind).__doc__
    assert re.fullmatch(r"[A-Za-z].*[.]", said, re.DOTALL), said


def test_every_command_is_documented() -> None:
    usage = (ROOT / "docs/usage.md").read_text("utf-8")
    for command in commands():
        assert f"\n### wzp {command.name}\n" in usage


def test_every_event_and_code_is_documented() -> None:
    usage = (ROOT / "docs/usage.md").read_text("utf-8")
    names = {f"| `{event}` |" for event in event_names()}
    raised = {getattr(errors, kind).code for kind in errors.__all__}
    source = [(PACKAGE / path).read_text("utf-8") for path in MODULES]
    warned = set(re.findall(r'Warned\(\s*code="(\w+)"', "".join(source)))
    assert len(warned) > 10
    codes = {f"`{code}`" for code in raised | warned}
    assert [text for text in sorted(names | codes) if text not in usage] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name or "wzp")
def test_every_flag_is_documented(page: Page) -> None:
    usage = (ROOT / "docs/usage.md").read_text("utf-8")
    section = usage.partition(f"\n### wzp {page.name}\n")[2].partition("\n### ")[0]
    everywhere = usage.partition("\n## Flags of every command\n")[2]
    for flag in page.flags:
        where = everywhere.partition("\n## ")[0] if flag.everywhere else section
        if not flag.is_argument:
            assert any(f"`{name}" in where for name in flag.names), flag.written
            assert flag.help or flag.names[-1] == "--help", flag.written


def test_drawings_show_the_tables_as_they_are() -> None:
    for machine in draw_state_machines.MACHINES:
        page = (draw_state_machines.DOCS / machine.page).read_text("utf-8")
        assert draw_state_machines.drawn(page, machine) == page, machine.name


def test_a_machine_is_drawn_between_its_marks() -> None:
    machine = draw_state_machines.Machine("m", "m.md", {"a": {"go": "b"}})
    page = "x\n<!-- m: drawn from its table -->\nold\n<!-- /m -->\ny"
    drawing = draw_state_machines.drawn(page, machine)
    assert "    a --> b: go\n" in drawing
    assert drawing.startswith("x\n<!--")
    assert drawing.endswith("<!-- /m -->\ny")
    assert draw_state_machines.drawn(drawing, machine) == drawing
    with pytest.raises(ValueError, match="no place for m"):
        draw_state_machines.drawn("nothing", machine)


def test_each_attack_still_finds_the_line_of_its_rule() -> None:
    """Where you have changed such a line, change attacks/rules/NN-*.toml, too."""
    for rule in load():
        for _attack, out in rule.weakenings:
            out.applied((ROOT / out.file).read_text("utf-8"))


def test_only_the_endpoint_binds_udp() -> None:
    found = {
        path.as_posix()
        for path in MODULES
        if MAKES_DATAGRAM_SOCKETS.search((PACKAGE / path).read_text("utf-8"))
    }
    assert found == set(BINDS_UDP)
