"""Extracts the client's certificates from a TLS 1.2 handshake flight (RFC 5246 6.2.1 and 7.4).

They are examined before OpenSSL processes the handshake, because OpenSSL would verify signatures
with keys chosen by the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDSHAKE = 22
CERTIFICATE = 11
MOST = 64
"""Maximum certificates taken from one message; further ones are ignored."""
_RECORD_HEADER = 5
_MESSAGE_HEADER = 4


def certificates(flight: bytes) -> tuple[bytes, ...] | None:
    """The certificates (DER, the client's own first); None: the flight has no Certificate message.

    ValueError: a message is incomplete. OpenSSL would complete it from the next flight, and use it
    unexamined.
    """
    for kind, body in _messages(b"".join(_handshake(flight))):
        if kind == CERTIFICATE:
            return _list(body)
    return None


def _handshake(flight: bytes) -> Iterator[bytes]:
    """The contents of handshake records up to the first record of another type: after
    ChangeCipherSpec, they are encrypted."""
    at = 0
    while at < len(flight) and flight[at] == HANDSHAKE:
        start = at + _RECORD_HEADER
        at = start + int.from_bytes(flight[at + 3 : start])
        if start > len(flight) or at > len(flight):
            raise ValueError("an incomplete TLS record")
        yield flight[start:at]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        start = at + _MESSAGE_HEADER
        end = start + int.from_bytes(data[at + 1 : start])
        if start > len(data) or end > len(data):
            raise ValueError("an incomplete TLS handshake message")
        yield data[at], data[start:end]
        at = end


def _list(body: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    at = 3
    if len(body) < at or int.from_bytes(body[:at]) != len(body) - at:
        raise ValueError("a certificate list with a wrong length")
    while at < len(body) and len(found) < MOST:
        start = at + 3
        at = start + int.from_bytes(body[at:start])
        if start > len(body) or at > len(body):
            raise ValueError("an incomplete certificate")
        found.append(body[start:at])
    return tuple(found)
