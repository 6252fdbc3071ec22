"""The client's certificates in a flight of a TLS 1.2 handshake (RFC 5246 sections 6.2.1 and 7.4).

They are looked at before OpenSSL's handshake is: it would check signatures with keys of a
stranger's choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDSHAKE = 22
CERTIFICATE = 11
MOST = 64
"""Certificates that are taken out of one message; what comes behind them is left alone."""
_RECORD_HEADER = 5
_MESSAGE_HEADER = 4


def certificates(flight: bytes) -> tuple[bytes, ...] | None:
    """DER, the client's own first; None where the flight has no Certificate message.

    ValueError where a message is not whole: OpenSSL would go on with it in the next flight, and
    nobody would have looked at it.
    """
    for kind, body in _messages(b"".join(_handshake(flight))):
        if kind == CERTIFICATE:
            return _list(body)
    return None


def _handshake(flight: bytes) -> Iterator[bytes]:
    """Handshake records up to the first of another type: what follows ChangeCipherSpec is
    encrypted."""
    at = 0
    while at < len(flight) and flight[at] == HANDSHAKE:
        start = at + _RECORD_HEADER
        at = start + int.from_bytes(flight[at + 3 : start])
        if start > len(flight) or at > len(flight):
            raise ValueError("a TLS record that is not whole")
        yield flight[start:at]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        start = at + _MESSAGE_HEADER
        end = start + int.from_bytes(data[at + 1 : start])
        if start > len(data) or end > len(data):
            raise ValueError("a TLS handshake message that is not whole")
        yield data[at], data[start:end]
        at = end


def _list(body: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    at = 3
    if len(body) < at or int.from_bytes(body[:at]) != len(body) - at:
        raise ValueError("a list of certificates of another length")
    while at < len(body) and len(found) < MOST:
        start = at + 3
        at = start + int.from_bytes(body[at:start])
        if start > len(body) or at > len(body):
            raise ValueError("a certificate that is not whole")
        found.append(body[start:at])
    return tuple(found)
