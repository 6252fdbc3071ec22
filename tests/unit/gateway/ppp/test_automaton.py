"""The table against RFC 1661 section 4.1."""

from __future__ import annotations

import pytest

from gateway.ppp.automaton import TIMED, TRANSITIONS, Event, State

S = State


@pytest.mark.parametrize(
    ("event", "state", "actions", "following"),
    [
        (Event.UP, S.STARTING, ("irc", "scr"), S.REQ_SENT),
        (Event.OPEN, S.INITIAL, ("tls",), S.STARTING),
        (Event.CLOSE, S.OPENED, ("tld", "irc", "str"), S.CLOSING),
        (Event.TIMEOUT, S.ACK_RCVD, ("scr",), S.REQ_SENT),
        (Event.TRIES_USED, S.ACK_SENT, ("tlf",), S.STOPPED),
        (Event.GOOD_REQUEST, S.ACK_RCVD, ("sca", "tlu"), S.OPENED),
        (Event.GOOD_REQUEST, S.OPENED, ("tld", "scr", "sca"), S.ACK_SENT),
        (Event.BAD_REQUEST, S.ACK_SENT, ("scn",), S.REQ_SENT),
        (Event.ACK, S.ACK_SENT, ("irc", "tlu"), S.OPENED),
        (Event.NAK, S.ACK_SENT, ("irc", "scr"), S.ACK_SENT),
        (Event.TERMINATE_REQUEST, S.OPENED, ("tld", "zrc", "sta"), S.STOPPING),
        (Event.TERMINATE_ACK, S.OPENED, ("tld", "scr"), S.REQ_SENT),
        (Event.REJECT_FATAL, S.OPENED, ("tld", "irc", "str"), S.STOPPING),
        (Event.ECHO, S.OPENED, ("ser",), S.OPENED),
    ],
)
def test_a_transition_is_rfc_1661s(
    event: Event, state: State, actions: tuple[str, ...], following: State
) -> None:
    assert TRANSITIONS[event, state] == (actions, following)


def test_every_packet_has_a_transition_in_every_state_above_starting() -> None:
    packets = [event for event in Event if event.value.startswith("R")]
    assert len(packets) == 10
    for event in packets:
        assert {s for e, s in TRANSITIONS if e is event} == set(State) - {S.INITIAL, S.STARTING}


def test_the_timer_has_transitions_just_where_it_runs() -> None:
    for event in (Event.TIMEOUT, Event.TRIES_USED):
        assert {state for e, state in TRANSITIONS if e is event} == TIMED


def test_up_and_down_of_this_layer_come_exactly_with_entering_and_leaving_opened() -> None:
    for (_event, state), (actions, following) in TRANSITIONS.items():
        assert ("tlu" in actions) == (following is S.OPENED and state is not S.OPENED)
        assert ("tld" in actions) == (state is S.OPENED and following is not S.OPENED)
