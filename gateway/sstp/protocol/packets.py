"""SSTP packets, the wire format after the HTTP exchange ([MS-SSTP] section 2.2).

A packet is a four-byte header (version 0x10, a control bit, a twelve-bit length that includes the
header) and its content: a PPP frame, or a control message with attributes. `Framer` splits a stream
into packets; `read_control` parses control messages. Neither raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from gateway.dataplane.framing import CONTROL, HEADER, LONGEST, VERSION

PPP = 1
"""The only encapsulated protocol (2.2.5)."""

NONCE = 32
DIGEST = 32
"""Bytes of the fields for a certificate hash and a compound MAC; SHA-1's 20 are padded."""

_CONTROL_HEADER = 8
_ATTRIBUTE_HEADER = 4


class Message(IntEnum):
    """Message types (2.2.2)."""

    CALL_CONNECT_REQUEST = 1
    CALL_CONNECT_ACK = 2
    CALL_CONNECT_NAK = 3
    CALL_CONNECTED = 4
    CALL_ABORT = 5
    CALL_DISCONNECT = 6
    CALL_DISCONNECT_ACK = 7
    ECHO_REQUEST = 8
    ECHO_RESPONSE = 9


class AttributeId(IntEnum):
    """Attributes (2.2.4); NO_ERROR occurs only inside a Status Info."""

    NO_ERROR = 0
    ENCAPSULATED_PROTOCOL_ID = 1
    STATUS_INFO = 2
    CRYPTO_BINDING = 3
    CRYPTO_BINDING_REQ = 4


class Status(IntEnum):
    """Status codes of a Status Info (2.2.8)."""

    NO_ERROR = 0x0
    DUPLICATE_ATTRIBUTE = 0x1
    UNRECOGNIZED_ATTRIBUTE = 0x2
    INVALID_ATTRIB_VALUE_LENGTH = 0x3
    VALUE_NOT_SUPPORTED = 0x4
    UNACCEPTED_FRAME_RECEIVED = 0x5
    RETRY_COUNT_EXCEEDED = 0x6
    INVALID_FRAME_RECEIVED = 0x7
    NEGOTIATION_TIMEOUT = 0x8
    ATTRIB_NOT_SUPPORTED_IN_MSG = 0x9
    REQUIRED_ATTRIBUTE_MISSING = 0xA
    STATUS_INFO_NOT_SUPPORTED_IN_MSG = 0xB


class HashProtocol(IntFlag):
    """Hash protocols, as bits (2.2.6)."""

    SHA1 = 1
    SHA256 = 2


@dataclass(frozen=True, slots=True)
class Attribute:
    """One received attribute; `value` is without the four-byte header."""

    id: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Control:
    """A control message with parsed attributes; `packet` is the complete packet."""

    message: Message
    attributes: tuple[Attribute, ...]
    packet: bytes = field(repr=False)

    def value(self, attribute: AttributeId) -> bytes | None:
        """The value of the first attribute of this kind."""
        return next((a.value for a in self.attributes if a.id == attribute), None)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A complete packet that cannot be parsed; `why` is for a log."""

    why: str


@dataclass(frozen=True, slots=True)
class StatusInfo:
    """What is wrong with an attribute (2.2.8); `value` is the attribute's received value."""

    attribute: int
    status: int
    value: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        try:
            text = Status(self.status).name.lower().replace("_", " ")
        except ValueError:
            text = f"status {self.status:#x}"
        return text


class Framer:
    """Splits a stream into complete packets; keeps less than one packet between calls.

    `broken`: why the stream is invalid (3.1.5.1: the connection must then be closed without any
    message); from then on no packets are returned.
    """

    def __init__(self) -> None:
        self._pending = b""
        self.broken = ""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes, each with its header."""
        if self.broken:
            return []
        stream = self._pending + data if self._pending else data
        packets: list[bytes] = []
        at, end = 0, len(stream)
        while end - at >= HEADER:
            length = int.from_bytes(stream[at + 2 : at + 4], "big") & LONGEST
            if stream[at] != VERSION or length < HEADER:
                self.broken = f"no SSTP packet begins with {stream[at : at + HEADER].hex()}"
                self._pending = b""
                return packets
            if end - at < length:
                break
            packets.append(stream[at : at + length])
            at += length
        self._pending = stream[at:]
        return packets

    def take(self) -> bytes:
        """Take the bytes of an incomplete packet, for another reader to continue with."""
        rest, self._pending = self._pending, b""
        return rest


def is_control(packet: bytes) -> bool:
    """Whether a complete packet is a control message; otherwise it carries a PPP frame."""
    return bool(packet[1] & CONTROL)


def read_control(packet: bytes) -> Control | Malformed:
    """Parse a complete control packet.

    Attributes are separated but not validated: `faults` does that. Reserved bits are ignored, as
    the specification requires.
    """
    if len(packet) < _CONTROL_HEADER:
        return Malformed(f"a control message of {len(packet)} bytes")
    kind, count = struct.unpack_from("!HH", packet, HEADER)
    try:
        message = Message(kind)
    except ValueError:
        return Malformed(f"there is no message {kind}")
    attributes: list[Attribute] = []
    at = _CONTROL_HEADER
    while at < len(packet) and len(attributes) < count:
        if len(packet) - at < _ATTRIBUTE_HEADER:
            return Malformed(f"{message.name} ends within an attribute")
        _, identifier, length = struct.unpack_from("!BBH", packet, at)
        length &= LONGEST
        if not _ATTRIBUTE_HEADER <= length <= len(packet) - at:
            return Malformed(f"{message.name} has an attribute of {length} bytes")
        attributes.append(Attribute(identifier, packet[at + _ATTRIBUTE_HEADER : at + length]))
        at += length
    if at != len(packet) or len(attributes) != count:
        return Malformed(f"{message.name} does not hold the {count} attributes it announces")
    return Control(message, tuple(attributes), packet)


@dataclass(frozen=True, slots=True)
class Form:
    """What a message may hold (2.2.9 to 2.2.15)."""

    required: AttributeId | None = None
    allowed: frozenset[int] = frozenset()
    repeated: bool = False


_STATUS_ONLY = frozenset({AttributeId.STATUS_INFO})
FORMS: dict[Message, Form] = {
    Message.CALL_CONNECT_REQUEST: Form(
        AttributeId.ENCAPSULATED_PROTOCOL_ID, frozenset({AttributeId.ENCAPSULATED_PROTOCOL_ID})
    ),
    Message.CALL_CONNECT_ACK: Form(
        AttributeId.CRYPTO_BINDING_REQ, frozenset({AttributeId.CRYPTO_BINDING_REQ})
    ),
    Message.CALL_CONNECT_NAK: Form(AttributeId.STATUS_INFO, _STATUS_ONLY, repeated=True),
    Message.CALL_CONNECTED: Form(
        AttributeId.CRYPTO_BINDING, frozenset({AttributeId.CRYPTO_BINDING})
    ),
    Message.CALL_ABORT: Form(None, _STATUS_ONLY),
    Message.CALL_DISCONNECT: Form(None, _STATUS_ONLY),
    Message.CALL_DISCONNECT_ACK: Form(),
    Message.ECHO_REQUEST: Form(),
    Message.ECHO_RESPONSE: Form(),
}

_LENGTHS: dict[int, tuple[int, int]] = {
    AttributeId.ENCAPSULATED_PROTOCOL_ID: (2, 2),
    AttributeId.STATUS_INFO: (8, LONGEST),
    AttributeId.CRYPTO_BINDING: (4 + NONCE + 2 * DIGEST,) * 2,
    AttributeId.CRYPTO_BINDING_REQ: (4 + NONCE,) * 2,
}


def faults(control: Control) -> list[StatusInfo]:
    """What is wrong with a message's attributes, as Status Infos."""
    form = FORMS[control.message]
    found = []
    seen: set[int] = set()
    for attribute in control.attributes:
        status = _fault(attribute, form, seen)
        if status:
            found.append(StatusInfo(attribute.id, status, attribute.value))
        seen.add(attribute.id)
    if form.required is not None and form.required not in seen:
        found.append(StatusInfo(form.required, Status.REQUIRED_ATTRIBUTE_MISSING))
    return found


def _fault(attribute: Attribute, form: Form, seen: set[int]) -> Status:
    limits = _LENGTHS.get(attribute.id)
    if limits is None:
        return Status.UNRECOGNIZED_ATTRIBUTE
    if not limits[0] <= len(attribute.value) <= limits[1]:
        return Status.INVALID_ATTRIB_VALUE_LENGTH
    if attribute.id not in form.allowed:
        return _misplaced(attribute)
    if attribute.id in seen and not form.repeated:
        return Status.DUPLICATE_ATTRIBUTE
    if attribute.id == AttributeId.ENCAPSULATED_PROTOCOL_ID:
        protocol = int.from_bytes(attribute.value, "big")
        return Status.NO_ERROR if protocol == PPP else Status.VALUE_NOT_SUPPORTED
    return Status.NO_ERROR


def _misplaced(attribute: Attribute) -> Status:
    """The fault of an attribute in the wrong message; a Status Info without an error is allowed
    everywhere (3.3.5.2.2, condition 1)."""
    if attribute.id != AttributeId.STATUS_INFO:
        return Status.ATTRIB_NOT_SUPPORTED_IN_MSG
    if attribute.value[4:8] == bytes(4):
        return Status.NO_ERROR
    return Status.STATUS_INFO_NOT_SUPPORTED_IN_MSG


def status_infos(control: Control) -> list[StatusInfo]:
    """The Status Infos of a NAK, an Abort or a Disconnect, without those that are too short."""
    return [
        StatusInfo(a.value[3], int.from_bytes(a.value[4:8], "big"), a.value[8:])
        for a in control.attributes
        if a.id == AttributeId.STATUS_INFO and len(a.value) >= 8
    ]
