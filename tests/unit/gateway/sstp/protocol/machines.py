"""State machines in each of their states, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.binding import BOTH
from gateway.sstp.protocol.client import ClientMachine
from gateway.sstp.protocol.machine import Machine, State
from gateway.sstp.protocol.packets import (
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
