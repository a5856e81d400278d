"""What wzp does when something fails: the table of docs/robustness.md, and its tests' .

A test of a row takes its exit code from here, and the page holds the rows as they are
(`test_page.py`), so that neither can say what the other does not.
"""

from dataclasses import dataclass

__all__ = ["ROWS", "Row", "row", "table"]


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        exit: Of the command that it hits; None where that goes on.
        test: What tries it, where that is elsewhere: file and function.
    """

    name: str
    fault: str
    state: str
    happens: str
    exit: int | None
    test: str = ""

    @property
    def ends(self) -> int:
        """The exit code, where there is one."""
        assert self.exit is not None, self.name
        return self.exit


_FORGETS = "the relay forgets it within 30 s"
_SILENT = 'the other side hears silence for 10 s, then "the peer is gone" (exit 4)'

ROWS = (
    # --- the disk and the home
    Row(
        "disk-key",
        "full disk",
        "no key yet: any command",
        "says which file, and that no space is left; nothing half written is there",
        7,
    ),
    Row(
        "disk-files",
        "full disk",
        "`contacts add`, `id new`, `id export`, `config init`, `report -o`",
        "the same; what was there before stays as it was",
        7,
    ),
    Row(
        "disk-record",
        "full disk",
        "`--record`, before the call",
        "refused while less than 64 MiB are free, before anybody is called",
        7,
    ),
    Row(
        "disk-recording",
        "full disk",
        "recording",
        "the recording ends with a warning, the call goes on",
        0,
    ),
    Row(
        "disk-log",
        "full disk",
        "`--log-file`, `--events`",
        "one warning, the command goes on without",
        0,
    ),
    Row(
        "disk-stdout",
        "full disk",
        "standard output into a file",
        "the command ends and says so on standard error, also under `--json`",
        7,
    ),
    Row(
        "home",
        "read-only home",
        "any command that has to write",
        "says which folder, and why; `--state-dir` names another",
        7,
    ),
    # --- what a process may have
    Row(
        "files-start",
        "no more descriptors",
        "at the start",
        "says so, and how the limit is raised",
        7,
    ),
    Row(
        "files-caller",
        "no more descriptors",
        "in a call",
        "the call goes on to its end",
        None,
    ),
    Row(
        "files-listener",
        "no more descriptors",
        "listening",
        "a call under way goes on; further callers are let go (their exit 4: policies"
        " can't be read); it recovers by itself",
        None,
    ),
    Row(
        "files-relay",
        "no more descriptors",
        "a relay",
        "it goes on serving calls and new clients over UDP; status, metrics and TCP"
        " wait; one line in its log each minute",
        None,
    ),
    # --- names and clocks
    Row(
        "names-start",
        "DNS that never answers",
        "at the start",
        "given up after 8 s, or `--timeout`; Ctrl-C does not wait for it",
        4,
    ),
    Row(
        "names-listener",
        "DNS that never answers",
        "a listener whose relay went away",
        "it keeps trying, and is back when DNS is",
        None,
    ),
    Row(
        "clock-call",
        "clock set by days, either way",
        "in a call, listening, relaying",
        "nothing: all timers are monotonic; `ts` of events follows the clock",
        0,
    ),
    Row(
        "clock-ticket",
        "clock ahead",
        "calling by a ticket that expires",
        "refused as expired",
        6,
    ),
    # --- the network, and who is at its other end
    Row(
        "interface",
        "interface down and up",
        "in a call",
        "sound goes by the relay at the other side, and directly again once it is up",
        None,
        "tests/netlab/test_networks.py::test_an_interface_goes_down_and_comes_back",
    ),
    Row(
        "peer-reads-nothing",
        "a peer that takes nothing any more",
        "in a call",
        "256 KiB wait for it at the most, then the link ends",
        4,
        "tests/endpoint/links/test_link.py"
        "::test_a_peer_that_never_acknowledges_does_not_fill_our_memory",
    ),
    Row(
        "relay-slow",
        "a relay that keeps the link up and says nothing",
        "registering",
        "given up after 5 s",
        4,
        "tests/services/relays/test_registration.py"
        "::test_a_relay_that_only_keeps_the_link_up_is_unreachable",
    ),
    Row(
        "relay-silent",
        "a relay that never answers",
        "calling",
        "given up after 5 s",
        4,
        "tests/services/relays/test_requests.py"
        "::test_a_relay_that_never_answers_a_connect",
    ),
    Row(
        "relay-wrong-welcome",
        "a relay that sends junk",
        "registering",
        "the link ends: compare versions",
        1,
        "tests/services/relays/test_registration.py"
        "::test_a_broken_welcome_is_one_of_our_errors",
    ),
    Row(
        "relay-wrong",
        "a relay that sends junk, or too much",
        "listening",
        "its link ends, and it is asked again",
        None,
        "tests/services/relays/test_registration.py"
        "::test_broken_messages_cost_the_relay_its_link_and_us_nothing",
    ),
    # --- stopped (SIGSTOP, a laptop's lid)
    Row(
        "stop-short",
        "stopped for 3 s",
        "a caller, a listener or the relay in a call",
        "silence for as long, then the call goes on",
        None,
    ),
    Row(
        "stop-long",
        "stopped for 13 s",
        "a side of a call",
        "the other side ends the call after 10 s, the stopped one within 10 s of going"
        " on; a listener takes the next call",
        4,
    ),
    Row(
        "stop-relay",
        "stopped for 13 s",
        "the relay of a call that is relayed",
        "the call ends after 10 s on both sides; a direct one goes on",
        4,
    ),
    # --- kill -9
    Row(
        "kill-caller-registering",
        "caller killed",
        "registering",
        _FORGETS,
        None,
    ),
    Row(
        "kill-caller-ringing",
        "caller killed",
        "ringing",
        "the listener rings for 10 s more, then tells a missed call, and takes others",
        None,
    ),
    Row(
        "kill-caller-answered",
        "caller killed",
        "answered, connecting",
        "the listener ends the call after 10 s of silence, and takes others",
        None,
    ),
    Row("kill-caller-direct", "caller killed", "talking, direct", "the same", None),
    Row("kill-caller-relayed", "caller killed", "talking, relayed", "the same", None),
    Row(
        "kill-caller-ending",
        "caller killed",
        "ending",
        "the goodbye was said: the listener ends at once",
        None,
    ),
    Row(
        "kill-listener-registering",
        "listener killed",
        "registering",
        "who calls hears that it is offline; the relay forgets it within 30 s",
        5,
    ),
    Row(
        "kill-listener-waiting",
        "listener killed",
        "waiting for calls",
        "who calls gets no answer in 5 s, until the relay forgets it within 30 s",
        4,
    ),
    Row(
        "kill-listener-ringing",
        "listener killed",
        "ringing",
        'the caller ends after 10 s: "the peer is gone"',
        4,
    ),
    Row(
        "kill-listener-answered",
        "listener killed",
        "answered, connecting",
        "the caller ends after 10 s of silence",
        4,
    ),
    Row("kill-listener-direct", "listener killed", "talking, direct", "the same", 4),
    Row("kill-listener-relayed", "listener killed", "talking, relayed", "the same", 4),
    Row(
        "kill-listener-ending",
        "listener killed",
        "ending",
        "the caller hung up anyway",
        0,
    ),
    Row(
        "kill-relay-registering",
        "relay killed",
        "registering",
        "the caller gives up, or finds it when it is back in time",
        4,
    ),
    Row(
        "kill-relay-ringing",
        "relay killed",
        "ringing",
        "both sides end after 10 s; the listener registers again",
        4,
    ),
    Row(
        "kill-relay-relayed",
        "relay killed",
        "talking, relayed",
        "goes on if the relay is back within 10 s or there is TURN, else ends",
        4,
    ),
    Row(
        "kill-relay-direct",
        "relay killed",
        "talking, direct",
        "nothing",
        0,
    ),
    Row(
        "kill-relay-ending",
        "relay killed",
        "ending",
        "the caller ends; the listener hears it or ends after 10 s",
        0,
    ),
)


def row(name: str) -> Row:
    """Return the row of that name."""
    (found,) = (each for each in ROWS if each.name == name)
    return found


def table() -> str:
    """Return the rows as the page has them."""
    head = ["| fault | state | what happens | exit code |", "| --- | --- | --- | --- |"]
    return "\n".join(
        [
            *head,
            *(
                f"| {each.fault} | {each.state} | {each.happens} |"
                f" {'goes on' if each.exit is None else each.exit} |"
                for each in ROWS
            ),
        ]
    )
