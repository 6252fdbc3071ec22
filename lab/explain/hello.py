"""A TLS ClientHello in a frame: what a client offers. Pure. Source: RFC 5246, section 7.4.1.2;
RFC 8446, section 4.2.1; IANA's registry of cipher suites."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_BEGIN = re.compile(rb"\x16\x03[\x00-\x04]..\x01\x00", re.DOTALL)
"""A record with a handshake of type 1, whose length has three bytes."""
_ANSWER = re.compile(rb"\x16\x03[\x00-\x04]..\x02\x00", re.DOTALL)
"""The same with one of type 2, ServerHello."""
_NAMES = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}
_SUPPORTED_VERSIONS = 43
MOST = 12
"""Cipher suites that are quoted."""
SUITES = {
    0x0004: "TLS_RSA_WITH_RC4_128_MD5",
    0x0005: "TLS_RSA_WITH_RC4_128_SHA",
    0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    0x002F: "TLS_RSA_WITH_AES_128_CBC_SHA",
    0x0033: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
    0x0035: "TLS_RSA_WITH_AES_256_CBC_SHA",
    0x0039: "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
    0x003C: "TLS_RSA_WITH_AES_128_CBC_SHA256",
    0x003D: "TLS_RSA_WITH_AES_256_CBC_SHA256",
    0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
    0xC009: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC00A: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    0xC013: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    0xC014: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
}
"""Those of old programs; others are told by their numbers."""


@dataclass(frozen=True)
class Hello:
    """What a client offers."""

    newest: str
    """Of the TLS versions."""
    suites: tuple[int, ...]
    """Numbers of the cipher suites."""

    @property
    def new(self) -> bool:
        """Whether it has a version that gateways take, which leaves the cipher suites."""
        return self.newest in ("TLS 1.2", "TLS 1.3")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the first cipher suites, as IANA has them."""
        return tuple(SUITES.get(one, f"0x{one:04X}") for one in self.suites[:MOST])


def is_answer(data: bytes) -> bool:
    """Whether a packet has a ServerHello: the server has chosen from what the client offers."""
    return bool(_ANSWER.search(data))


def read_hello(data: bytes) -> Hello | None:
    """The ClientHello in a packet; None if there is none."""
    found = _BEGIN.search(data)
    if not found:
        return None
    try:
        return _read(data[found.start() + 9 :])
    except (IndexError, struct.error):
        return None


def _read(body: bytes) -> Hello | None:
    """`body` begins with the version."""
    versions = [struct.unpack_from("!H", body)[0]]
    at = 34 + 1 + body[34]
    length = struct.unpack_from("!H", body, at)[0]
    suites = struct.unpack_from(f"!{length // 2}H", body, at + 2)
    at += 2 + length
    at += 1 + body[at] + 2
    while at + 4 <= len(body):
        kind, size = struct.unpack_from("!HH", body, at)
        if kind == _SUPPORTED_VERSIONS:
            versions = list(struct.unpack_from(f"!{body[at + 4] // 2}H", body, at + 5))
        at += 4 + size
    known = [version for version in versions if version in _NAMES]
    return Hello(_NAMES[max(known)], suites) if known else None
