"""The manual page wzp(1), made from the commands themselves."""

from collections.abc import Iterator, Sequence

from wzp_cli import __version__
from wzp_cli.cli.manual import Flag, Page, pages

__all__ = ["man_page"]

_FILES = (
    ("$XDG_CONFIG_HOME/wzp/config.toml", "the configuration; see wzp config init"),
    ("$XDG_STATE_HOME/wzp/", "the private key, known relays, contacts, the UDP port"),
)

_EXIT_STATUS = (
    ("0", "it worked; a call through the relay worked, too"),
    ("1", "it failed"),
    ("2", "the command line is not right"),
    ("3", "a requirement that was stated was not met"),
    ("4", "unreachable: relay, name, network, no answer in time"),
    ("5", "the peer: offline, busy, declined, did not answer"),
    ("6", "identity: a key changed, somebody else answered, access refused"),
    ("7", "this machine: no sound device, port in use, permission, full disk"),
    ("70", "internal error"),
    ("78", "the configuration is not right"),
    ("130, 141, 143", "interrupted; nobody reads the output; terminated"),
)


def man_page(date: str) -> str:
    """Return wzp(1) in roff. `date`: of the release, "2026-11-24"."""
    main, *commands = pages()
    everywhere = [flag for flag in main.flags if flag.everywhere]
    return "\n".join(
        [
            f'.TH WZP 1 "{date}" "wzp {__version__}" "User Commands"',
            ".SH NAME",
            _text(f"wzp - {_lower(main.summary)}"),
            ".SH SYNOPSIS",
            ".B wzp",
            '.RI [ OPTIONS "] " COMMAND " " [ ARGUMENTS ]',
            ".SH COMMANDS",
            *_sections(commands),
            ".SH OPTIONS OF EVERY COMMAND",
            *_flags(everywhere),
            ".SH EXIT STATUS",
            *_list(_EXIT_STATUS),
            ".SH FILES",
            *_list(_FILES),
            "",
        ]
    )


def _sections(commands: Sequence[Page]) -> Iterator[str]:
    for page in commands:
        arguments = [flag.names[0] for flag in page.own if flag.is_argument]
        yield f".SS {_text(' '.join(['wzp', page.name, *arguments]))}"
        yield _text(page.summary)
        yield from _flags([flag for flag in page.own if not flag.is_argument])


def _flags(flags: Sequence[Flag]) -> Iterator[str]:
    for flag in flags:
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in flag.names)
        value = rf" \fI{_text(flag.value)}\fR" if flag.value else ""
        yield ".TP"
        yield names + value
        yield _text(flag.help)


def _list(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, words in rows:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(words))


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _text(words: str) -> str:
    r"""Return `words` so that roff prints them as they are."""
    words = words.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{words}" if words.startswith(".") else words
