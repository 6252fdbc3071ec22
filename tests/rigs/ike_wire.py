"""IKEv2 as an initiator needs it (RFC 7296): payloads, one suite, and AUTH.

ENCR_AES_GCM_16 with 256 bits, PRF_HMAC_SHA2_256, 256-bit random ECP; signatures by RFC 7427.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SA, KE, ID_I, ID_R, CERT, AUTH, NONCE, NOTIFY, DELETE = 33, 34, 35, 36, 37, 39, 40, 41, 42
TS_I, TS_R, SEALED, CP, EAP = 44, 45, 46, 47, 48
IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
INITIATOR, RESPONSE = 0x08, 0x20
COOKIE, SIGNATURE_HASHES = 16390, 16431
NAT_SOURCE, NAT_DESTINATION = 16388, 16389
AUTHENTICATION_FAILED = 24
FIRST_STATUS = 16384
"""Notifications below it are errors."""
SHARED_KEY, DIGITAL_SIGNATURE = 2, 14
DN = 9
"""A kind of identity."""
X509 = b"\x04"
HEADER = 28


class Payload(NamedTuple):
    """Its type, and the content after the generic header."""

    kind: int
    body: bytes


class Header(NamedTuple):
    """Section 3.1."""

    initiator: bytes
    responder: bytes
    first: int
    exchange: int
    flags: int
    number: int

    def encode(self, length: int) -> bytes:
        """For a message of that many bytes in all."""
        return (
            self.initiator
            + self.responder
            + bytes((self.first, 0x20, self.exchange, self.flags))
            + self.number.to_bytes(4, "big")
            + length.to_bytes(4, "big")
        )


def parse_header(message: bytes) -> Header:
    """Parse the header of a message that is long enough."""
    first, _, exchange, flags = message[16:20]
    number = int.from_bytes(message[20:24], "big")
    return Header(message[:8], message[8:16], first, exchange, flags, number)


def chain(payloads: Iterable[Payload]) -> tuple[int, bytes]:
    """The first payload's type, and all payloads concatenated."""
    listed = list(payloads)
    kinds = [*(payload.kind for payload in listed), 0][1:]
    body = b"".join(
        bytes((following, 0)) + (4 + len(payload.body)).to_bytes(2, "big") + payload.body
        for following, payload in zip(kinds, listed, strict=True)
    )
    return (listed[0].kind if listed else 0), body


def unchain(first: int, body: bytes) -> Iterator[Payload]:
    """Split payloads; an encrypted one is the last."""
    kind = first
    while kind and len(body) >= 4:
        size = int.from_bytes(body[2:4], "big")
        yield Payload(kind, body[4:size])
        kind = 0 if kind == SEALED else body[0]
        body = body[size:]


def notify(kind: int, data: bytes = b"") -> Payload:
    """Section 3.10, about the IKE_SA."""
    return Payload(NOTIFY, b"\0\0" + kind.to_bytes(2, "big") + data)


def told(payloads: Iterable[Payload]) -> dict[int, bytes]:
    """Notifications: type to data."""
    return {
        int.from_bytes(payload.body[2:4], "big"): payload.body[4 + payload.body[1] :]
        for payload in payloads
        if payload.kind == NOTIFY
    }


def proposal(protocol: int, spi: bytes, *transforms: bytes) -> Payload:
    """One proposal; a transform is its type, its number and its attributes."""
    listed = b"".join(
        bytes((3 if more else 0, 0)) + (5 + len(one)).to_bytes(2, "big") + one[:1] + b"\0" + one[1:]
        for more, one in zip(range(len(transforms) - 1, -1, -1), transforms, strict=True)
    )
    head = bytes((1, protocol, len(spi), len(transforms))) + spi
    return Payload(SA, b"\0\0" + (4 + len(head) + len(listed)).to_bytes(2, "big") + head + listed)


AES_GCM_256 = b"\x01\x00\x14\x80\x0e\x01\x00"
PRF_SHA256, ECP_256, NO_ESN = b"\x02\x00\x05", b"\x04\x00\x13", b"\x05\x00\x00"
_SELECTOR = b"\x07\0\0\x10\0\0\xff\xff"
EVERYWHERE = b"\1\0\0\0" + _SELECTOR + bytes(4) + b"\xff" * 4
"""A traffic selector: all of IPv4."""


def selectors(*prefixes: IPv4Network) -> bytes:
    """Traffic selectors: the body of a TS payload."""
    listed = (_SELECTOR + one[0].packed + one[-1].packed for one in prefixes)
    return bytes((len(prefixes), 0, 0, 0)) + b"".join(listed)


def selected(body: bytes) -> list[tuple[IPv4Address, IPv4Address]]:
    """The ranges of a TS payload's selectors of IPv4, first and last address."""
    rows = (body[at : at + 16] for at in range(4, len(body), 16))
    return [(IPv4Address(row[8:12]), IPv4Address(row[12:16])) for row in rows]


def wish(*addresses: bytes) -> bytes:
    """CFG_REQUEST of INTERNAL_IP4_ADDRESS, once for each; empty for any."""
    asked = (b"\0\1" + len(one).to_bytes(2, "big") + one for one in addresses)
    return b"\1\0\0\0" + b"".join(asked)


def addresses(payloads: Iterable[Payload]) -> list[IPv4Address]:
    """INTERNAL_IP4_ADDRESS of a CFG_REPLY."""
    found = []
    for payload in payloads:
        body = payload.body[4:] if payload.kind == CP else b""
        while len(body) >= 4:
            kind, size = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
            if kind == 1 and size == 4:
                found.append(IPv4Address(body[4:8]))
            body = body[4 + size :]
    return found


@dataclass(frozen=True)
class Keys:
    """Section 2.14, without those of integrity."""

    own: bytes
    theirs: bytes
    auth: bytes
    """SK_pi."""
    child: bytes
    """SK_d."""


def prf(key: bytes, data: bytes) -> bytes:
    """PRF_HMAC_SHA2_256."""
    return hmac.digest(key, data, "sha256")


def derive(shared: bytes, ni: bytes, nr: bytes, spis: bytes) -> Keys:
    """An initiator's keys."""
    made = prf_plus(prf(ni + nr, shared), ni + nr + spis, 168)
    return Keys(made[32:68], made[68:104], made[104:136], made[:32])


def prf_plus(key: bytes, seed: bytes, size: int) -> bytes:
    """Section 2.13: this many bytes."""
    block = made = b""
    while len(made) < size:
        block = prf(key, block + seed + bytes((len(made) // 32 + 1,)))
        made += block
    return made[:size]


@dataclass(frozen=True)
class Child:
    """A CHILD_SA of an initiator: each direction's SPI and key, which ends with its salt."""

    inbound: bytes
    outbound: bytes
    own: bytes
    theirs: bytes


def child(keys: Keys, nonces: bytes, inbound: bytes, outbound: bytes) -> Child:
    """Section 2.17."""
    made = prf_plus(keys.child, nonces, 72)
    return Child(inbound, outbound, made[:36], made[36:])


def spi(body: bytes) -> bytes:
    """Of the first proposal of an SA payload."""
    return body[8 : 8 + body[6]]


def seal(keys: Keys, header: Header, payloads: Iterable[Payload]) -> bytes:
    """Encrypt a complete message (RFC 5282)."""
    first, body = chain(payloads)
    vector = header.number.to_bytes(8, "big")
    size = 4 + len(vector) + len(body) + 1 + 16
    head = header._replace(first=SEALED).encode(HEADER + size)
    head += bytes((first, 0)) + size.to_bytes(2, "big")
    return head + vector + AESGCM(keys.own[:32]).encrypt(keys.own[32:] + vector, body + b"\0", head)


def unseal(keys: Keys, message: bytes) -> list[Payload]:
    """Decrypt the payloads; InvalidTag: it is not the peer's."""
    first, data = message[HEADER], message[HEADER + 4 :]
    cipher = AESGCM(keys.theirs[:32])
    plain = cipher.decrypt(keys.theirs[32:] + data[:8], data[8:], message[: HEADER + 4])
    return list(unchain(first, plain[: -1 - plain[-1]]))


_ALGORITHMS: dict[str, tuple[str, Any]] = {
    "secp256r1": ("300a06082a8648ce3d040302", hashes.SHA256()),
    "secp384r1": ("300a06082a8648ce3d040303", hashes.SHA384()),
    "secp521r1": ("300a06082a8648ce3d040304", hashes.SHA512()),
}


def signature(key: Any, octets: bytes) -> bytes:
    """An AUTH payload's body by RFC 7427."""
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")
        made = key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm, made = bytes.fromhex("300506032b6570"), key.sign(octets)
    else:
        words, digest = _ALGORITHMS[key.curve.name]
        algorithm, made = bytes.fromhex(words), key.sign(octets, ec.ECDSA(digest))
    return bytes((DIGITAL_SIGNATURE, 0, 0, 0, len(algorithm))) + algorithm + made
