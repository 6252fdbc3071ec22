"""The ClientHello of an obsolete TLS client: RC4, DES and 3DES.

No current TLS library can offer these suites, and offering them is all that it takes to be
refused. Sans-I/O: RFC 5246, sections 6.2.1, 7.2 and 7.4.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.topology.model.tls import CIPHER_SUITES, CipherSuite, TlsVersion

VERSIONS: dict[TlsVersion, int] = {"1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303}
_ALERT, _HANDSHAKE = 21, 22
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_RANDOM = 32
MAXIMUM_RECORD = 16384
"""Bytes of a record that are accepted."""
_ALERTS = {40: "handshake failure", 47: "illegal parameter", 70: "protocol version",
           71: "insufficient security", 80: "internal error", 112: "unrecognized name"}  # fmt: skip
"""RFC 5246, section 7.2; RFC 6066."""


@dataclass(frozen=True)
class Alert:
    """The server refused with an alert."""

    description: str


@dataclass(frozen=True)
class Agreed:
    """The server chose one of the suites (its number)."""

    suite: int


def client_hello(
    suites: Sequence[CipherSuite],
    maximum: TlsVersion | None,
    server: str,
    entropy: Callable[[int], bytes],
) -> bytes:
    """The record with a ClientHello that offers only these suites.

    It also has the server's name and the signature algorithms RSA with SHA-1 and SHA-256.
    """
    name = server.encode("idna")
    server_name = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
    extensions = b"".join(
        struct.pack("!HH", number, len(body)) + body
        for number, body in (
            (0, server_name),
            (10, bytes.fromhex("000400170018")),  # secp256r1, secp384r1
            (11, bytes.fromhex("0100")),  # uncompressed points
            (13, bytes.fromhex("000402010401")),  # RSA with SHA-1, SHA-256
        )
    )
    numbers = b"".join(CIPHER_SUITES[suite].to_bytes(2, "big") for suite in suites)
    body = (
        VERSIONS[maximum or "1.2"].to_bytes(2, "big")
        + entropy(_RANDOM)
        + b"\0"  # no session
        + struct.pack("!H", len(numbers)) + numbers
        + b"\x01\x00"  # no compression
        + struct.pack("!H", len(extensions)) + extensions
    )  # fmt: skip
    message = struct.pack("!B", _CLIENT_HELLO) + len(body).to_bytes(3, "big") + body
    return struct.pack("!BHH", _HANDSHAKE, VERSIONS["1.0"], len(message)) + message


def read_answer(data: bytes) -> Alert | Agreed | None:
    """Parse a server's first bytes; None if more are needed. ValueError if they are not TLS."""
    if len(data) < 5:
        return None
    kind, version, length = struct.unpack_from("!BHH", data)
    if kind not in (_ALERT, _HANDSHAKE) or version >> 8 != 3 or length > MAXIMUM_RECORD:
        raise ValueError(f"this is not TLS: {data[:16].hex()}")
    record = data[5 : 5 + length]
    if len(record) < length:
        return None
    if kind == _ALERT and length >= 2:
        return Alert(_ALERTS.get(record[1], f"alert {record[1]}"))
    at = 4 + 2 + _RANDOM
    if record[:1] == bytes((_SERVER_HELLO,)) and length > at:
        suite = record[at + 1 + record[at] :][:2]
        if len(suite) == 2:
            return Agreed(int.from_bytes(suite, "big"))
    raise ValueError(f"this is neither a ServerHello nor an alert: {record[:16].hex()}")
