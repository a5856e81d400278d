"""Messages, calls, files, terminals: all that is of no other room."""

from typing import Final

__all__ = [
    "ACCEPT_WARNING_S",
    "CONTROL_MAX_CLIENTS",
    "CONTROL_MAX_EVENTS_WAITING",
    "CONTROL_MAX_FOLLOWERS",
    "CONTROL_MAX_REPLY_BYTES",
    "CONTROL_MAX_REQUEST_BYTES",
    "CONTROL_REPLY_S",
    "CONTROL_REQUEST_S",
    "DEMO_CALL_MARGIN_S",
    "DEMO_MIN_CORRELATION",
    "DEMO_PAUSE_FRAMES",
    "DEMO_RELAYED_MAX_FRAMES",
    "DEMO_SOUND_MAX_FRAMES",
    "DOCTOR_BUSY_LOAD",
    "DOCTOR_CLOCK_OFF_S",
    "DOCTOR_HEAR_S",
    "DOCTOR_LOW_DISK_BYTES",
    "DOCTOR_RELAY_S",
    "DOCTOR_TCP_S",
    "HELLO_TIMEOUT_S",
    "HOOK_EVENTS_WAITING",
    "HOOK_LAST_WAIT_S",
    "HOOK_OUTPUT_BYTES",
    "HOOK_TIMEOUT_S",
    "LEFTOVER_AGE_S",
    "MAX_MESSAGE_BEFORE_HELLO_BYTES",
    "MAX_MESSAGE_BYTES",
    "MAX_SERVED_LINKS",
    "MAX_TEXT_CHARACTERS",
    "MAX_TICKET_CHARACTERS",
    "MAX_TOLD_REFUSALS",
    "MISSED_CALLS_KEPT",
    "NEXT_STEPS_ASK_S",
    "NEXT_STEPS_CONTACTS",
    "OUTPUT_LAST_WAIT_S",
    "OUTPUT_QUEUE_LINES",
    "PLACED_ORDERS_WAITING",
    "PROMPT_LOOK_S",
    "REMEMBERED_PORT_FIRST",
    "REMEMBERED_PORT_LAST",
    "RING_TIMEOUT_S",
    "SCREEN_BELL_S",
    "SCREEN_DELAY_FULL_MS",
    "SCREEN_DELAY_LONG_MS",
    "SCREEN_DELAY_SLOW_MS",
    "SCREEN_HISTORY_S",
    "SCREEN_IDLE_TICK_S",
    "SCREEN_KEPT_BYTES",
    "SCREEN_LEVEL_FLOOR_DBFS",
    "SCREEN_LEVEL_FRAMES",
    "SCREEN_LEVEL_HIGH_DBFS",
    "SCREEN_LEVEL_LOUD_DBFS",
    "SCREEN_LOSS_FULL_PCT",
    "SCREEN_LOSS_HIGH_PCT",
    "SCREEN_LOSS_SOME_PCT",
    "SCREEN_MAX_COLUMNS",
    "SCREEN_NEWS",
    "SCREEN_PAST_CALLS",
    "SCREEN_QUIT_GUARD_S",
    "SCREEN_TICK_S",
    "TALK_KEY_HELD_S",
    "TALK_KEY_REPEATED_S",
]

# --- Chosen by us ----------------------------------------------------------------

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""Largest signalling message. Source: ours (docs/security.md, input)."""

MAX_MESSAGE_BEFORE_HELLO_BYTES: Final = 4 * 1024
"""Largest message before the other side is known. Source: as the one above."""

MAX_TEXT_CHARACTERS: Final = 64
"""Longest name or reason of a stranger shown. Source: ours (docs/security.md, text)."""

MAX_TICKET_CHARACTERS: Final = 2048
"""Longest ticket read; the longest one made is shorter. Source: ours."""

REMEMBERED_PORT_FIRST: Final = 20_000
"""First port drawn from on first use. Source: ours; above most servers."""

REMEMBERED_PORT_LAST: Final = 29_999
"""Last one. Source: ours; below the ports that Linux (32768) and others lend out."""

NEXT_STEPS_ASK_S: Final = 1.0
"""How long `wzp` alone waits for the wzp that runs. Source: ours; a blink."""

NEXT_STEPS_CONTACTS: Final = 3
"""How many contacts it names. Source: ours; it is one screen."""

DOCTOR_HEAR_S: Final = 0.6
"""How long `wzp doctor` hears the microphone. Source: ours; two words."""

DOCTOR_RELAY_S: Final = 8.0
"""How long it waits for all relays. Source: ours; HANDSHAKE_TIMEOUT_S and a welcome."""

DOCTOR_TCP_S: Final = 2.0
"""How long a silent relay's host may take to answer TCP. Source: ours; RFC 6298's
first retransmission comes after 1 s."""

DOCTOR_BUSY_LOAD: Final = 2.0
"""A load above so many programs for each processor is told. Source: ours; at five, on
two processors, `wzp demo` heard its sentence 150 ms late and changed."""

DOCTOR_LOW_DISK_BYTES: Final = 64 << 20
"""Less is told. Source: ours; recordings stop there as well."""

DOCTOR_CLOCK_OFF_S: Final = 300
"""A clock that is further behind its own files is wrong. Source: ours; tickets and
certificates are valid by date, file systems of other machines are minutes off."""

LEFTOVER_AGE_S: Final = 60
"""How old a file that was to replace another is when nobody writes it any more.

Source: ours; writing one takes milliseconds, on a network disk that hangs longer.
"""

MAX_TOLD_REFUSALS: Final = 128
"""Blocked identities that a relay is told of; the device itself refuses the rest, too.

Source: ours, 7 of 16 KiB that a message may have.
"""

HELLO_TIMEOUT_S: Final = 5.0
"""How long a new link may go without hello, or without an offer. Source: ours."""

RING_TIMEOUT_S: Final = 45.0
"""How long a call rings. Source: ours; as telephones do."""

DEMO_MIN_CORRELATION: Final = 0.85
"""Likeness that passes as heard. Source: measured; Opus 0.99, 20 % lost 0.76."""

DEMO_PAUSE_FRAMES: Final = 10
"""Silence before and after what the demo says. Source: ours; more than the delay."""

DEMO_RELAYED_MAX_FRAMES: Final = 150
"""How much of a long recording is sent over the relay, 3 s. Source: ours."""

DEMO_SOUND_MAX_FRAMES: Final = 3_000
"""How much of a long recording is sent directly, 60 s. Source: ours."""

DEMO_CALL_MARGIN_S: Final = 5.0
"""How much longer than its sound a call of the demo may take. Source: ours."""

MAX_SERVED_LINKS: Final = 32
"""Links of callers that a listener serves at a time. Source: ours."""

ACCEPT_WARNING_S: Final = 60.0
"""How often the log says that connections can't be taken. Source: ours."""

OUTPUT_QUEUE_LINES: Final = 1000
"""Lines kept for a slow reader of a stream of events. Source: ours."""

OUTPUT_LAST_WAIT_S: Final = 2.0
"""How long the last lines may take to be read, at the end. Source: ours."""

CONTROL_MAX_CLIENTS: Final = 24
"""Clients of a control socket at once. Source: ours; followers, and as many others."""

PROMPT_LOOK_S: Final = 0.05
"""How often a console of Windows is asked for keys. Source: ours; nobody types faster
than it echoes."""

PLACED_ORDERS_WAITING: Final = 16
"""Keys of a call that the listener makes which wait to be told. Source: ours; each
takes a few milliseconds."""

CONTROL_MAX_FOLLOWERS: Final = 16
"""Of them, those that follow events. Source: ours; some place is left for orders."""

HOOK_TIMEOUT_S: Final = 10.0
"""How long a hook's program may run. Source: ours; long enough to ask a service."""

HOOK_LAST_WAIT_S: Final = 2.0
"""How long hooks may run on when wzp ends. Source: ours; Ctrl-C should not hang."""

HOOK_EVENTS_WAITING: Final = 16
"""Events of a kind that wait for a hook. Source: ours; what is older is no news."""

HOOK_OUTPUT_BYTES: Final = 16_384
"""Most of a hook's output that is logged. Source: ours."""

MISSED_CALLS_KEPT: Final = 20
"""Missed calls that `wzp status` lists. Source: ours; they fit on a screen."""

CONTROL_MAX_EVENTS_WAITING: Final = 256
"""Events that wait for a client that reads slowly. Source: ours."""

CONTROL_MAX_REQUEST_BYTES: Final = 16_384
"""Longest request on a control socket. Source: ours; as signalling messages."""

CONTROL_MAX_REPLY_BYTES: Final = 262_144
"""Longest line of a reply, and most that waits for a reader. Source: ours."""

CONTROL_REQUEST_S: Final = 2.0
"""How long a client may take to say what it wants. Source: ours; it is a program."""

CONTROL_REPLY_S: Final = 2.0
"""How long the first reply, or a reader, may keep us waiting. Source: ours."""

SCREEN_TICK_S: Final = 0.1
"""How often the screen of a call moves. Source: ours; a level meter looks alive."""

SCREEN_IDLE_TICK_S: Final = 1.0
"""How often it moves between calls. Source: ours; its clock."""

SCREEN_BELL_S: Final = 3.0
"""How often the terminal's bell rings. Source: RING_CADENCE_S, one turn."""

SCREEN_MAX_COLUMNS: Final = 100
"""Widest that the screen is drawn. Source: ours; longer bars tell no more."""

SCREEN_HISTORY_S: Final = 120
"""Seconds of loss and delay that are kept. Source: ours; more than a line holds."""

SCREEN_NEWS: Final = 40
"""Sentences that the screen keeps. Source: ours; more than a page holds."""

SCREEN_PAST_CALLS: Final = 50
"""Calls that the screen remembers. Source: ours."""

SCREEN_LEVEL_FRAMES: Final = 5
"""Frames that a level is taken of. Source: SCREEN_TICK_S."""

SCREEN_LEVEL_FLOOR_DBFS: Final = -60.0
"""Left end of a level meter. Source: ours; a quiet room."""

SCREEN_LEVEL_HIGH_DBFS: Final = -12.0
"""From here a level is yellow. Source: ours; speech stays below."""

SCREEN_LEVEL_LOUD_DBFS: Final = -3.0
"""From here it is red. Source: ours; a mean so high is clipping."""

SCREEN_LOSS_SOME_PCT: Final = 2.0
"""From here loss is yellow. Source: ours; copies make up for less."""

SCREEN_LOSS_HIGH_PCT: Final = 10.0
"""From here it is red. Source: ours; see docs/decisions/0015."""

SCREEN_LOSS_FULL_PCT: Final = 20.0
"""Loss that fills a sparkline's cell. Source: ours."""

SCREEN_DELAY_SLOW_MS: Final = 150.0
"""From here the delay is yellow. Source: ITU-T G.114: not felt below."""

SCREEN_DELAY_LONG_MS: Final = 400.0
"""From here it is red. Source: ITU-T G.114: too long to plan with."""

SCREEN_DELAY_FULL_MS: Final = 500.0
"""Delay that fills a sparkline's cell. Source: ours."""

TALK_KEY_HELD_S: Final = 0.75
"""How long a first press of space counts. Source: ours; keyboards repeat a held key
after 250 to 660 ms."""

TALK_KEY_REPEATED_S: Final = 0.3
"""How long each repetition counts. Source: ours; ten a second and a slow SSH."""

SCREEN_QUIT_GUARD_S: Final = 1.0
"""How long after a hang-up the same key does not stop the listener, too. Source: ours;
a key that is held, or pressed twice."""

SCREEN_KEPT_BYTES: Final = 16_384
"""What is kept of standard error while the screen is up. Source: ours; some pages."""
