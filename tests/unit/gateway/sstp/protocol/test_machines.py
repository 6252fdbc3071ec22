"""Both state machines of [MS-SSTP]: what each message and each timer does in each state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.client import ClientMachine
from gateway.sstp.protocol.machine import NEGOTIATING, Machine, State
from gateway.sstp.protocol.packets import (
    AttributeId,
    Control,
    HashProtocol,
    Message,
    Status,
    StatusInfo,
    read_control,
    status_infos,
)
from gateway.sstp.protocol.server import ServerMachine


@dataclass(frozen=True)
class KeyOf:
    form: str
    key: bytes


NONCE = bytes(range(32))
HASHES = binding.certificate_hashes(b"certificate")
KEY = KeyOf("specification", b"k" * 32)
CONNECTED = binding.connected(KEY.key, HashProtocol.SHA256, NONCE, HASHES[HashProtocol.SHA256])
WRONG_PROTOCOL = building.control(Message.CALL_CONNECT_REQUEST, b"\0\1\0\6\0\2")


def server() -> ServerMachine:
    return ServerMachine(offered=BOTH, hashes=HASHES, entropy=lambda _: NONCE, now=0)


def client() -> ClientMachine:
    machine = ClientMachine(hashes=HASHES, supported=BOTH, now=0)
    assert machine.outgoing() == [building.connect_request()]
    return machine


def requested() -> ServerMachine:
    machine = server()
    machine.receive(building.connect_request(), 0)
    assert machine.outgoing() == [building.connect_ack(BOTH, NONCE)]
    return machine


def bound() -> ServerMachine:
    machine = requested()
    machine.authenticated((KEY,), 0)
    machine.receive(CONNECTED, 0)
    assert machine.state is State.CONNECTED
    return machine


def acknowledged() -> ClientMachine:
    machine = client()
    machine.receive(building.connect_ack(BOTH, NONCE), 0)
    return machine


def connected() -> ClientMachine:
    machine = acknowledged()
    machine.authenticated(KEY, 0)
    assert machine.outgoing() == [CONNECTED]
    return machine


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


def sent(machine: Machine) -> list[tuple[Message, Status]]:
    """The messages that it sends, with their first status."""
    found = []
    for packet in machine.outgoing():
        control = read_control(packet)
        assert isinstance(control, Control)
        statuses = [Status(info.status) for info in status_infos(control)]
        found.append((control.message, (*statuses, Status.NO_ERROR)[0]))
    return found


def why(machine: Machine) -> str:
    assert machine.ending
    return machine.ending.why


WORKING: list[Callable[[], Machine]] = [
    server,
    requested,
    bound,
    client,
    acknowledged,
    connected,
]
TEARING_DOWN: list[Callable[[], Machine]] = [aborting, disconnecting]
EVERY_MESSAGE = {
    Message.CALL_CONNECT_REQUEST: building.connect_request(),
    Message.CALL_CONNECT_ACK: building.connect_ack(BOTH, NONCE),
    Message.CALL_CONNECT_NAK: building.connect_nak([StatusInfo(1, 4)]),
    Message.CALL_CONNECTED: CONNECTED,
    Message.CALL_ABORT: building.abort(Status.NEGOTIATION_TIMEOUT),
    Message.CALL_DISCONNECT: building.disconnect(),
    Message.CALL_DISCONNECT_ACK: building.DISCONNECT_ACK,
    Message.ECHO_REQUEST: building.ECHO_REQUEST,
    Message.ECHO_RESPONSE: building.ECHO_RESPONSE,
}
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
