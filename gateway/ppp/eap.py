"""EAP packets (RFC 3748 sections 4 and 5)."""

from __future__ import annotations

from enum import IntEnum

from gateway.ppp.frames import Packet, encode_packet

MOST_ROUNDS = 200
"""Maximum Requests on one link; EAP-TLS with the longest accepted chain needs far fewer."""


class Code(IntEnum):
    """Section 4."""

    REQUEST = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


class Type(IntEnum):
    """Section 5 and IANA's registry."""

    IDENTITY = 1
    NOTIFICATION = 2
    NAK = 3
    TLS = 13
    PEAP = 25
    MSCHAPV2 = 26


_NAMES = {Type.TLS: "EAP-TLS", Type.PEAP: "PEAP", Type.MSCHAPV2: "EAP-MSCHAPv2"}


def method_name(kind: int) -> str:
    """The method's name, such as "EAP-TLS"; "EAP-43" if it is unknown here."""
    return _NAMES.get(kind, f"EAP-{kind}")  # type: ignore[call-overload, no-any-return]


def encode(code: Code, identifier: int, kind: Type, data: bytes = b"") -> bytes:
    """Encode a Request or a Response."""
    return encode_packet(code, identifier, bytes((kind,)) + data)


def identity(packet: Packet) -> str:
    """The identity in an Identity Response, without the options after a NUL (5.1)."""
    return packet.data[1:].partition(b"\0")[0].decode("utf-8", "replace")
