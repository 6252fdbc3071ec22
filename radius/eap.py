"""What a pass-through authenticator looks at in EAP packets (RFC 3748, RFC 3579), and no more."""

from __future__ import annotations

RESPONSE, IDENTITY = 2, 1
HEADER = 5


def is_response(packet: bytes) -> bool:
    """Whether it is a whole EAP-Response with a type."""
    return (
        len(packet) >= HEADER
        and packet[0] == RESPONSE
        and int.from_bytes(packet[2:4]) == len(packet)
    )


def identity(packet: bytes) -> bytes | None:
    """Who an EAP-Response/Identity says to be; None for anything else."""
    if not is_response(packet) or packet[4] != IDENTITY:
        return None
    return packet[HEADER:].partition(b"\0")[0]
