"""Both state machines of [MS-SSTP]: what each message and each timer does in each state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.client import ClientMachine
from gateway.sstp.protocol.machine import NEGOTIATING, Machine, State
from gateway.sstp.protocol.packets import AttributeId, HashProtocol, Message, Status, StatusInfo
from tests.unit.gateway.sstp.protocol.machines import (
    CONNECTED,
    EVERY_MESSAGE,
    HASHES,
    KEY,
    NONCE,
    WORKING,
    KeyOf,
    acknowledged,
    bound,
    client,
    connected,
    requested,
    sent,
    server,
    why,
)

WRONG_PROTOCOL = building.control(Message.CALL_CONNECT_REQUEST, b"\0\1\0\6\0\2")
EXPECTED: dict[State, set[Message]] = {
    State.CONNECT_REQUEST_PENDING: {Message.CALL_CONNECT_REQUEST},
    State.CONNECTED_PENDING: {Message.CALL_CONNECTED},
    State.CONNECT_REQUEST_SENT: {Message.CALL_CONNECT_ACK, Message.CALL_CONNECT_NAK},
    State.CONNECT_ACK_RECEIVED: set(),
    State.CONNECTED: {Message.ECHO_REQUEST, Message.ECHO_RESPONSE},
}


@pytest.mark.parametrize("make", WORKING)
@pytest.mark.parametrize("message", Message)
def test_only_expected_messages_are_accepted(make: Callable[[], Machine], message: Message) -> None:
    machine = make()
    if message in EXPECTED[machine.state] | {Message.CALL_ABORT, Message.CALL_DISCONNECT}:
        return
    was = machine.state
    machine.receive(EVERY_MESSAGE[message], 1)
    assert sent(machine) == [(Message.CALL_ABORT, Status.UNACCEPTED_FRAME_RECEIVED)]
    assert machine.state is State.ABORT_PENDING
    assert why(machine) == f"{message.name} in {was.value}"


# ------------------------------------------------------------------------------- establishing


def test_a_server_carries_ppp_from_its_acknowledgement_on() -> None:
    assert not server().carries
    assert requested().carries
    assert bound().carries


def test_a_server_binds_with_the_keys_of_authentication() -> None:
    machine = bound()
    assert machine.bound == binding.Bound(HashProtocol.SHA256, "specification")
    assert machine.ending is None
    assert machine.outgoing() == []


def test_a_call_connected_before_the_verdict_waits_for_it() -> None:
    machine = requested()
    machine.receive(CONNECTED, 1)
    assert (machine.state, machine.bound) == (State.CONNECTED_PENDING, None)
    machine.authenticated((KEY,), 2)
    assert machine.state is State.CONNECTED


def test_two_call_connected_before_the_verdict_are_one_too_many() -> None:
    machine = requested()
    machine.receive(CONNECTED, 1)
    machine.receive(CONNECTED, 1)
    assert sent(machine) == [(Message.CALL_ABORT, Status.UNACCEPTED_FRAME_RECEIVED)]
    machine.authenticated((KEY,), 2)
    assert machine.bound is None


def test_a_waiting_call_connected_does_not_outlive_an_abort() -> None:
    machine = requested()
    machine.receive(CONNECTED, 1)
    machine.receive(building.abort(Status.NO_ERROR), 1)
    machine.authenticated((KEY,), 2)
    assert (machine.state, machine.bound) == (State.ABORT_TIMEOUT_PENDING, None)


def test_a_wrong_binding_aborts_the_call() -> None:
    machine = requested()
    machine.authenticated((KeyOf("specification", bytes(32)),), 0)
    machine.receive(CONNECTED, 0)
    (packet,) = machine.outgoing()
    assert packet == building.abort(Status.INVALID_FRAME_RECEIVED, about=AttributeId.CRYPTO_BINDING)
    assert machine.ending
    assert (machine.ending.fault, machine.bound) == ("binding", None)


@pytest.mark.parametrize("hlak", [KEY.key, bytes(32), b""])
def test_without_keys_no_binding_holds(hlak: bytes) -> None:
    machine = requested()
    machine.authenticated((), 0)
    sha256 = HashProtocol.SHA256
    machine.receive(binding.connected(hlak, sha256, NONCE, HASHES[sha256]), 0)
    assert sent(machine) == [(Message.CALL_ABORT, Status.INVALID_FRAME_RECEIVED)]


def test_a_request_that_cannot_be_granted_is_answered_with_a_nak_three_times() -> None:
    machine = server()
    for _ in range(3):
        machine.receive(WRONG_PROTOCOL, 1)
        assert sent(machine) == [(Message.CALL_CONNECT_NAK, Status.VALUE_NOT_SUPPORTED)]
    machine.receive(WRONG_PROTOCOL, 1)
    assert sent(machine) == [(Message.CALL_ABORT, Status.RETRY_COUNT_EXCEEDED)]


def test_a_request_that_is_right_after_three_naks_is_granted() -> None:
    machine = server()
    for _ in range(3):
        machine.receive(WRONG_PROTOCOL, 1)
    machine.outgoing()
    machine.receive(building.connect_request(), 1)
    assert sent(machine) == [(Message.CALL_CONNECT_ACK, Status.NO_ERROR)]


def test_a_nak_quotes_what_was_refused() -> None:
    machine = server()
    machine.receive(WRONG_PROTOCOL, 1)
    assert machine.outgoing() == [building.connect_nak([StatusInfo(1, 4, b"\0\2")])]


def test_an_attribute_of_wrong_length_in_call_connected_aborts_the_call() -> None:
    machine = requested()
    machine.receive(building.control(Message.CALL_CONNECTED, b"\0\3\0\4"), 1)
    assert sent(machine) == [(Message.CALL_ABORT, Status.INVALID_ATTRIB_VALUE_LENGTH)]


@pytest.mark.parametrize("make", WORKING)
def test_a_message_that_cannot_be_read_aborts_the_call(make: Callable[[], Machine]) -> None:
    machine = make()
    machine.receive(bytes.fromhex("1001000800630000"), 1)
    assert sent(machine) == [(Message.CALL_ABORT, Status.INVALID_FRAME_RECEIVED)]


def test_a_client_carries_ppp_from_the_acknowledgement_on() -> None:
    assert not client().carries
    assert acknowledged().carries


def test_a_client_chooses_the_strongest_hash_it_shares() -> None:
    machine = ClientMachine(hashes=HASHES, supported=HashProtocol.SHA1, now=0)
    machine.receive(building.connect_ack(BOTH, NONCE), 0)
    machine.authenticated(KEY, 0)
    assert machine.bound == binding.Bound(HashProtocol.SHA1, "specification")


def test_a_client_without_a_hash_in_common_aborts() -> None:
    machine = client()
    machine.receive(building.connect_ack(HashProtocol(0), NONCE), 0)
    assert sent(machine) == [(Message.CALL_ABORT, Status.VALUE_NOT_SUPPORTED)]


def test_a_client_hangs_up_after_a_nak() -> None:
    machine = client()
    machine.receive(building.connect_nak([StatusInfo(1, Status.VALUE_NOT_SUPPORTED)]), 0)
    assert sent(machine) == [(Message.CALL_DISCONNECT, Status.NO_ERROR)]
    assert why(machine) == "the server refused the request: value not supported"


# --------------------------------------------------------------------------------------- timers


@pytest.mark.parametrize("make", [m for m in WORKING if m().state in NEGOTIATING])
def test_negotiation_is_given_sixty_seconds_a_step(make: Callable[[], Machine]) -> None:
    machine = make()
    assert machine.deadline() == 60
    machine.tick(59.9)
    assert machine.outgoing() == []
    machine.tick(60)
    assert sent(machine) == [(Message.CALL_ABORT, Status.NEGOTIATION_TIMEOUT)]
    assert machine.ending
    assert machine.ending.fault == "timeout"


def test_each_step_of_negotiation_has_its_own_sixty_seconds() -> None:
    machine = server()
    machine.receive(building.connect_request(), 50)
    assert machine.deadline() == 110


@pytest.mark.parametrize("make", [bound, connected])
def test_a_silent_peer_gets_an_echo_request_and_then_the_call_is_closed_without_an_abort(
    make: Callable[[], Machine],
) -> None:
    machine = make()
    machine.tick(59.9)
    assert machine.outgoing() == []
    machine.tick(60)
    assert sent(machine) == [(Message.ECHO_REQUEST, Status.NO_ERROR)]
    machine.tick(119.9)
    assert not machine.closed
    machine.tick(120)
    assert machine.closed
    assert machine.outgoing() == []
    assert "silent for 120 s" in why(machine)
