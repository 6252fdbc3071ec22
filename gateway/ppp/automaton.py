"""The option negotiation automaton of RFC 1661 section 4 as a table."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from gateway.common.phases import Symbol


class State(IntEnum):
    """RFC 1661 4.2, with its numbers."""

    INITIAL = 0
    STARTING = 1
    CLOSED = 2
    STOPPED = 3
    CLOSING = 4
    STOPPING = 5
    REQ_SENT = 6
    ACK_RCVD = 7
    ACK_SENT = 8
    OPENED = 9


class Event(Symbol):
    """RFC 1661 4.3; TO is the restart timer with (+) and without (-) tries left."""

    UP = "Up"
    DOWN = "Down"
    OPEN = "Open"
    CLOSE = "Close"
    TIMEOUT = "TO+"
    TRIES_USED = "TO-"
    GOOD_REQUEST = "RCR+"
    BAD_REQUEST = "RCR-"
    ACK = "RCA"
    NAK = "RCN"
    TERMINATE_REQUEST = "RTR"
    TERMINATE_ACK = "RTA"
    UNKNOWN_CODE = "RUC"
    REJECT_PERMITTED = "RXJ+"
    REJECT_FATAL = "RXJ-"
    ECHO = "RXR"


Action = Literal["tlu", "tld", "tls", "tlf", "irc", "zrc", "scr", "sca", "scn", "str", "sta", "scj",
                 "ser"]  # fmt: skip
"""RFC 1661 4.4: this-layer-up, -down, -started, -finished; initialise and zero the restart count;
send Configure-Request, -Ack, -Nak or -Reject, Terminate-Request, -Ack, Code-Reject, Echo-Reply."""

TIMED = frozenset((State.CLOSING, State.STOPPING, State.REQ_SENT, State.ACK_RCVD, State.ACK_SENT))
"""The states in which the restart timer runs (4.2)."""

# Columns are the states 0 to 9; "." is an event that cannot occur there, or is ignored. The
# options in the footnotes are not implemented: restart (r) and passive (p).
_ROWS: dict[Event, str] = {
    Event.UP: "2 irc,scr/6 . . . . . . . .",
    Event.DOWN: ". . 0 tls/1 0 1 1 1 1 tld/1",
    Event.OPEN: "tls/1 1 irc,scr/6 3 5 5 6 7 8 9",
    Event.CLOSE: "0 tlf/0 2 2 4 4 irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4",
    Event.TIMEOUT: ". . . . str/4 str/5 scr/6 scr/6 scr/8 .",
    Event.TRIES_USED: ". . . . tlf/2 tlf/3 tlf/3 tlf/3 tlf/3 .",
    Event.GOOD_REQUEST: ". . sta/2 irc,scr,sca/8 4 5 sca/8 sca,tlu/9 sca/8 tld,scr,sca/8",
    Event.BAD_REQUEST: ". . sta/2 irc,scr,scn/6 4 5 scn/6 scn/7 scn/6 tld,scr,scn/6",
    Event.ACK: ". . sta/2 sta/3 4 5 irc/7 scr/6 irc,tlu/9 tld,scr/6",
    Event.NAK: ". . sta/2 sta/3 4 5 irc,scr/6 scr/6 irc,scr/8 tld,scr/6",
    Event.TERMINATE_REQUEST: ". . sta/2 sta/3 sta/4 sta/5 sta/6 sta/6 sta/6 tld,zrc,sta/5",
    Event.TERMINATE_ACK: ". . 2 3 tlf/2 tlf/3 6 6 8 tld,scr/6",
    Event.UNKNOWN_CODE: ". . scj/2 scj/3 scj/4 scj/5 scj/6 scj/7 scj/8 scj/9",
    Event.REJECT_PERMITTED: ". . 2 3 4 5 6 6 8 9",
    Event.REJECT_FATAL: ". . tlf/2 tlf/3 tlf/2 tlf/3 tlf/3 tlf/3 tlf/3 tld,irc,str/5",
    Event.ECHO: ". . 2 3 4 5 6 7 8 ser/9",
}


def _cell(text: str) -> tuple[tuple[str, ...], State]:
    actions, _, state = text.rpartition("/")
    return tuple(actions.split(",")) if actions else (), State(int(state))


TRANSITIONS: dict[tuple[Event, State], tuple[tuple[str, ...], State]] = {
    (event, State(column)): _cell(text)
    for event, row in _ROWS.items()
    for column, text in enumerate(row.split())
    if text != "."
}
"""Actions, in order, and the next state."""
