"""SSTP packets: the specification's bytes, both ways, and the faults of others."""

from __future__ import annotations

import pytest

from gateway.dataplane.framing import LONGEST
from gateway.sstp.protocol import building
from gateway.sstp.protocol.packets import (
    AttributeId,
    Control,
    Framer,
    HashProtocol,
    Malformed,
    Message,
    Status,
    StatusInfo,
    faults,
    is_control,
    read_control,
    status_infos,
)

REQUEST = bytes.fromhex("1001000E00010001000100060001")
NONCE = bytes(range(32))


def read(packet: bytes) -> Control:
    control = read_control(packet)
    assert isinstance(control, Control), control
    return control


def wrong(packet: bytes) -> list[tuple[int, int]]:
    return [(fault.attribute, fault.status) for fault in faults(read(packet))]


def message(kind: int, *attributes: bytes, count: int | None = None) -> bytes:
    body = b"".join(attributes)
    number = len(attributes) if count is None else count
    header = b"\x10\x01" + (8 + len(body)).to_bytes(2, "big")
    return header + kind.to_bytes(2, "big") + number.to_bytes(2, "big") + body


PROTOCOL = bytes.fromhex("000100060001")


def test_a_connect_request_is_the_fourteen_bytes_of_the_specification() -> None:
    assert building.connect_request() == REQUEST


@pytest.mark.parametrize(
    ("packet", "length", "kind"),
    [
        (building.connect_request(), 14, Message.CALL_CONNECT_REQUEST),
        (building.connect_ack(HashProtocol(3), NONCE), 48, Message.CALL_CONNECT_ACK),
        (building.connected(HashProtocol.SHA1, NONCE, b"c", b"m"), 112, Message.CALL_CONNECTED),
        (building.abort(Status.NEGOTIATION_TIMEOUT), 20, Message.CALL_ABORT),
        (building.disconnect(), 20, Message.CALL_DISCONNECT),
        (building.DISCONNECT_ACK, 8, Message.CALL_DISCONNECT_ACK),
        (building.ECHO_REQUEST, 8, Message.ECHO_REQUEST),
        (building.ECHO_RESPONSE, 8, Message.ECHO_RESPONSE),
        (building.connect_nak([StatusInfo(1, 4, b"\0\2")]), 22, Message.CALL_CONNECT_NAK),
    ],
)
def test_each_message_has_its_length_and_its_form(packet: bytes, length: int, kind: int) -> None:
    assert len(packet) == length
    assert is_control(packet)
    assert read(packet).message == kind
    assert wrong(packet) == []


def test_a_data_packet_is_four_bytes_before_the_frame() -> None:
    packet = building.data(b"\xff\x03\xc0\x21")
    assert packet == bytes.fromhex("10000008ff03c021")
    assert not is_control(packet)


def test_an_ack_carries_bitmask_and_nonce() -> None:
    value = read(building.connect_ack(HashProtocol(3), NONCE)).value(AttributeId.CRYPTO_BINDING_REQ)
    assert value == b"\0\0\0\x03" + NONCE


def test_a_nak_quotes_at_most_64_bytes_of_a_value_and_fits_into_one_packet() -> None:
    packet = building.connect_nak([StatusInfo(9, 2, bytes(100))] * 1000)
    assert len(packet) <= LONGEST
    assert wrong(packet) == []
    assert {len(info.value) for info in status_infos(read(packet))} == {64}


def test_a_stream_is_cut_into_packets_however_it_comes() -> None:
    stream = REQUEST + building.data(b"x" * 4091) + building.ECHO_REQUEST
    framer = Framer()
    found = [packet for at in range(len(stream)) for packet in framer.feed(stream[at : at + 1])]
    assert found == Framer().feed(stream) == [REQUEST, stream[14:-8], building.ECHO_REQUEST]


def test_reserved_bits_are_ignored() -> None:
    assert Framer().feed(b"\x10\xff\xf0" + REQUEST[3:]) == [b"\x10\xff\xf0" + REQUEST[3:]]
    assert wrong(b"\x10\xff\xf0" + REQUEST[3:8] + b"\xff\x01\xf0\x06\0\x01") == []


@pytest.mark.parametrize("header", ["11000008", "00000008", "10010003", "1001f000", "47455420"])
def test_a_stream_that_cannot_be_cut_is_given_up_for_good(header: str) -> None:
    framer = Framer()
    assert framer.feed(REQUEST + bytes.fromhex(header)) == [REQUEST]
    assert header in framer.broken
    assert framer.feed(REQUEST) == []


def test_a_framer_keeps_less_than_a_packet() -> None:
    framer = Framer()
    assert framer.feed(b"\x10\x00\x0f\xff" + bytes(4090)) == []
    assert len(framer._pending) < LONGEST


@pytest.mark.parametrize(
    "packet",
    [
        bytes.fromhex("10010004"),
        bytes.fromhex("100100070001"),
        message(0),
        message(10),
        message(1, PROTOCOL, count=2),
        message(1, PROTOCOL, count=0),
        message(1, PROTOCOL, PROTOCOL, count=1),
        message(1, b"\0\1\0\7\0\1"),
        message(1, b"\0\1\0\3\0\1"),
        message(1, b"\0\1\0"),
    ],
)
def test_a_control_message_that_does_not_hold_together_is_malformed(packet: bytes) -> None:
    assert isinstance(read_control(packet), Malformed)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (message(1), [(1, Status.REQUIRED_ATTRIBUTE_MISSING)]),
        (message(1, PROTOCOL, PROTOCOL), [(1, Status.DUPLICATE_ATTRIBUTE)]),
        (message(1, b"\0\1\0\6\0\2"), [(1, Status.VALUE_NOT_SUPPORTED)]),
        (message(1, b"\0\1\0\5\1"), [(1, Status.INVALID_ATTRIB_VALUE_LENGTH)]),
        (message(1, PROTOCOL, b"\0\7\0\4"), [(7, Status.UNRECOGNIZED_ATTRIBUTE)]),
        (
            message(1, PROTOCOL, b"\0\4\0\x28" + bytes(36)),
            [(4, Status.ATTRIB_NOT_SUPPORTED_IN_MSG)],
        ),
        (
            message(1, PROTOCOL, b"\0\2\0\x0c" + bytes(7) + b"\4"),
            [(2, Status.STATUS_INFO_NOT_SUPPORTED_IN_MSG)],
        ),
        (message(1, PROTOCOL, b"\0\2\0\x0c" + bytes(8)), []),
        (message(2), [(4, Status.REQUIRED_ATTRIBUTE_MISSING)]),
        (message(3), [(2, Status.REQUIRED_ATTRIBUTE_MISSING)]),
        (message(3, *[b"\0\2\0\x0c" + bytes(8)] * 2), []),
        (message(4), [(3, Status.REQUIRED_ATTRIBUTE_MISSING)]),
        (message(4, b"\0\3\0\x67" + bytes(99)), [(3, Status.INVALID_ATTRIB_VALUE_LENGTH)]),
        (message(5), []),
        (message(8, PROTOCOL), [(1, Status.ATTRIB_NOT_SUPPORTED_IN_MSG)]),
    ],
)
def test_what_is_wrong_with_a_message_is_named(
    packet: bytes, expected: list[tuple[int, int]]
) -> None:
    assert wrong(packet) == expected


def test_a_status_has_a_name() -> None:
    (info,) = status_infos(read(building.abort(Status.INVALID_FRAME_RECEIVED)))
    assert str(info) == "invalid frame received"
    assert str(StatusInfo(0, 0x99)) == "status 0x99"
