"""Builds SSTP packets ([MS-SSTP] sections 2.2.3 and 2.2.9 to 2.2.15)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gateway.dataplane.framing import CONTROL, HEADER, LONGEST, VERSION
from gateway.sstp.protocol.packets import (
    DIGEST,
    PPP,
    AttributeId,
    HashProtocol,
    Message,
    Status,
    StatusInfo,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTED = 64
"""Maximum bytes of a refused attribute's value quoted in a Status Info (2.2.8)."""

MOST_FAULTS = (LONGEST - 8) // (12 + QUOTED)
"""Maximum Status Infos that always fit into one NAK."""


def data(frame: bytes) -> bytes:
    """A data packet around one PPP frame of at most 4,091 bytes."""
    return struct.pack("!BBH", VERSION, 0, HEADER + len(frame)) + frame


def control(message: Message, *attributes: bytes) -> bytes:
    """A control packet of encoded attributes."""
    body = b"".join(attributes)
    length = HEADER + 4 + len(body)
    return struct.pack("!BBHHH", VERSION, CONTROL, length, message, len(attributes)) + body


def attribute(identifier: AttributeId, value: bytes) -> bytes:
    """One attribute with its header."""
    return struct.pack("!BBH", 0, identifier, 4 + len(value)) + value


def connect_request() -> bytes:
    """Call Connect Request for PPP: the first 14 bytes of every call."""
    protocol = attribute(AttributeId.ENCAPSULATED_PROTOCOL_ID, PPP.to_bytes(2, "big"))
    return control(Message.CALL_CONNECT_REQUEST, protocol)


def connect_ack(hash_protocols: HashProtocol, nonce: bytes) -> bytes:
    """Call Connect Acknowledge with the hash protocols that the server accepts."""
    value = struct.pack("!I", hash_protocols) + nonce
    return control(Message.CALL_CONNECT_ACK, attribute(AttributeId.CRYPTO_BINDING_REQ, value))


def connect_nak(faults: Sequence[StatusInfo]) -> bytes:
    """Call Connect Negative Acknowledgment; faults beyond one packet are omitted."""
    infos = (_status_info(fault) for fault in faults[:MOST_FAULTS])
    return control(Message.CALL_CONNECT_NAK, *infos)


def connected(
    protocol: HashProtocol, nonce: bytes, certificate_hash: bytes, compound_mac: bytes
) -> bytes:
    """Call Connected, 112 bytes; digests shorter than 32 bytes are padded with zeros."""
    value = b"".join(
        (
            struct.pack("!I", protocol),
            nonce,
            certificate_hash.ljust(DIGEST, b"\0"),
            compound_mac.ljust(DIGEST, b"\0"),
        )
    )
    return control(Message.CALL_CONNECTED, attribute(AttributeId.CRYPTO_BINDING, value))


def abort(status: Status, about: AttributeId = AttributeId.NO_ERROR) -> bytes:
    """Call Abort."""
    return control(Message.CALL_ABORT, _status_info(StatusInfo(about, status)))


def disconnect() -> bytes:
    """Call Disconnect."""
    info = _status_info(StatusInfo(AttributeId.NO_ERROR, Status.NO_ERROR))
    return control(Message.CALL_DISCONNECT, info)


DISCONNECT_ACK = control(Message.CALL_DISCONNECT_ACK)
ECHO_REQUEST = control(Message.ECHO_REQUEST)
ECHO_RESPONSE = control(Message.ECHO_RESPONSE)


def _status_info(info: StatusInfo) -> bytes:
    value = struct.pack("!II", info.attribute, info.status) + info.value[:QUOTED]
    return attribute(AttributeId.STATUS_INFO, value)
