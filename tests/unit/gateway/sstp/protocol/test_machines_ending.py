"""Both state machines of [MS-SSTP]: keeping a call alive, and ending it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.sstp.protocol import building
from gateway.sstp.protocol.machine import Machine, State
from gateway.sstp.protocol.packets import Message, Status
from gateway.sstp.protocol.server import ServerMachine
from tests.unit.gateway.sstp.protocol.machines import (
    EVERY_MESSAGE,
    WORKING,
    acknowledged,
    bound,
    client,
    connected,
    requested,
    sent,
    server,
    why,
)


def aborting() -> ServerMachine:
    machine = requested()
    machine.abort(Status.INVALID_FRAME_RECEIVED, "for a test", 0)
    machine.outgoing()
    return machine


def disconnecting() -> ServerMachine:
    machine = bound()
    machine.disconnect("for a test", 0)
    assert machine.outgoing() == [building.disconnect()]
    return machine


TEARING_DOWN: list[Callable[[], Machine]] = [aborting, disconnecting]


@pytest.mark.parametrize("packet", [building.ECHO_RESPONSE, building.ECHO_REQUEST])
def test_any_packet_restarts_the_hello_timer(packet: bytes) -> None:
    machine = bound()
    machine.tick(60)
    machine.receive(packet, 100)
    assert machine.deadline() == 160
    machine.outgoing()
    machine.tick(160)
    assert sent(machine) == [(Message.ECHO_REQUEST, Status.NO_ERROR)]


def test_data_restarts_the_hello_timer() -> None:
    machine = bound()
    machine.heard(30)
    assert machine.deadline() == 90


@pytest.mark.parametrize("make", [server, requested, client, acknowledged, aborting])
def test_data_does_not_prolong_negotiation_or_teardown(make: Callable[[], Machine]) -> None:
    machine = make()
    due = machine.deadline()
    machine.heard(30)
    assert machine.deadline() == due


@pytest.mark.parametrize("make", [bound, connected])
def test_an_echo_request_is_answered(make: Callable[[], Machine]) -> None:
    machine = make()
    machine.receive(building.ECHO_REQUEST, 1)
    assert machine.outgoing() == [building.ECHO_RESPONSE]


# ------------------------------------------------------------------------------------- teardown


@pytest.mark.parametrize("make", WORKING)
def test_an_abort_is_answered_and_the_connection_closed_a_second_later(
    make: Callable[[], Machine],
) -> None:
    machine = make()
    machine.receive(building.abort(Status.RETRY_COUNT_EXCEEDED), 10)
    assert sent(machine) == [(Message.CALL_ABORT, Status.NO_ERROR)]
    assert why(machine).endswith("aborted the call: retry count exceeded")
    machine.tick(10.9)
    assert not machine.closed
    machine.tick(11)
    assert machine.closed


@pytest.mark.parametrize("make", WORKING)
def test_a_disconnect_is_acknowledged_in_every_state(make: Callable[[], Machine]) -> None:
    machine = make()
    machine.receive(building.disconnect(), 10)
    assert machine.outgoing() == [building.DISCONNECT_ACK]
    assert why(machine).endswith("hung up")
    machine.tick(10.9)
    assert not machine.closed
    machine.tick(11)
    assert machine.closed


@pytest.mark.parametrize("attribute", [b"\0\2\0\x0b" + bytes(7), b"\0\7\0\4"])
def test_teardown_is_accepted_whatever_the_message_contains(attribute: bytes) -> None:
    machine = bound()
    machine.receive(building.control(Message.CALL_DISCONNECT, attribute), 1)
    assert machine.outgoing() == [building.DISCONNECT_ACK]


@pytest.mark.parametrize("make", WORKING)
def test_hanging_up_ends_with_the_acknowledgement(make: Callable[[], Machine]) -> None:
    machine = make()
    machine.disconnect("enough", 10)
    assert machine.outgoing() == [building.disconnect()]
    assert (why(machine), machine.deadline()) == ("enough", 15)
    machine.receive(building.DISCONNECT_ACK, 11)
    assert machine.closed


def test_an_acknowledgement_that_never_comes_is_waited_for_five_seconds() -> None:
    machine = disconnecting()
    machine.tick(4.9)
    assert not machine.closed
    machine.tick(5)
    assert machine.closed


def test_two_that_hang_up_at_once_acknowledge_each_other() -> None:
    machine = disconnecting()
    machine.receive(building.disconnect(), 1)
    assert machine.outgoing() == [building.DISCONNECT_ACK]
    assert machine.state is State.DISCONNECT_TIMEOUT_PENDING
    assert why(machine) == "for a test"


def test_an_abort_that_is_never_answered_is_waited_for_three_seconds() -> None:
    machine = aborting()
    machine.tick(2.9)
    assert not machine.closed
    machine.tick(3)
    assert machine.closed


def test_an_answered_abort_is_over_a_second_later() -> None:
    machine = aborting()
    machine.receive(building.abort(Status.NO_ERROR), 1)
    assert machine.outgoing() == []
    assert machine.deadline() == 2
    machine.tick(2)
    assert machine.closed


def test_an_abort_ends_waiting_for_an_acknowledgement() -> None:
    machine = disconnecting()
    machine.receive(building.abort(Status.NO_ERROR), 2)
    assert sent(machine) == [(Message.CALL_ABORT, Status.NO_ERROR)]
    assert machine.deadline() == 3


@pytest.mark.parametrize("make", TEARING_DOWN)
def test_everything_else_is_ignored_while_a_call_is_torn_down(make: Callable[[], Machine]) -> None:
    machine = make()
    before = (machine.state, machine.deadline(), machine.ending)
    leaving = {Message.CALL_ABORT, Message.CALL_DISCONNECT, Message.CALL_DISCONNECT_ACK}
    for message in set(Message) - leaving:
        machine.receive(EVERY_MESSAGE[message], 1)
    machine.receive(bytes.fromhex("1001000800630000"), 1)
    assert (machine.state, machine.deadline(), machine.ending) == before
    assert machine.outgoing() == []


@pytest.mark.parametrize("make", TEARING_DOWN)
def test_after_the_last_answer_nothing_is_heard(make: Callable[[], Machine]) -> None:
    machine = make()
    machine.receive(building.abort(Status.NO_ERROR), 1)
    machine.outgoing()
    before = (machine.state, machine.deadline())
    for packet in EVERY_MESSAGE.values():
        machine.receive(packet, 1)
    assert (machine.state, machine.deadline(), machine.outgoing()) == (*before, [])
    machine.disconnect("again", 1)
    assert machine.outgoing() == []
