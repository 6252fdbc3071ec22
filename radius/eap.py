"""The parts of EAP packets that a pass-through authenticator examines (RFC 3748, RFC 3579)."""

from __future__ import annotations

RESPONSE, IDENTITY = 2, 1
HEADER = 5


def is_response(packet: bytes) -> bool:
    """Whether this is a complete EAP-Response with a type."""
    return (
        len(packet) >= HEADER
        and packet[0] == RESPONSE
        and int.from_bytes(packet[2:4]) == len(packet)
    )


def identity(packet: bytes) -> bytes | None:
    """The identity in an EAP-Response/Identity; None for any other packet."""
    if not is_response(packet) or packet[4] != IDENTITY:
        return None
    return packet[HEADER:].partition(b"\0")[0]
