"""A TLS 1.2 client without a socket that sends certificates as raw bytes (RFC 5246, RFC 5288).

OpenSSL's client reads what it shows and writes it anew; this one does not look at it. It does not
look at the server's either, and has what it is for: one suite, and keys of P-256.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = b"\x03\x03"
ECDHE_RSA_AES128_GCM_SHA256, SCSV = b"\xc0\x2f", b"\x00\xff"
CHANGE_CIPHER, ALERT, HANDSHAKE = 20, 21, 22
HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY, DONE = 1, 2, 11, 12, 14
VERIFY, CLIENT_KEY, FINISHED = 15, 16, 20
GROUPS = b"\x00\x17\x00\x18\x00\x19"
"""P-256, which a server that may choose takes first, and those of other certificates."""
_SCHEMES = "0401050106010403050306030807080408050806"
_EXTENSIONS = (
    (0x000A, b"\x00\x06" + GROUPS),
    (0x000B, b"\x01\x00"),
    (0x000D, (len(_SCHEMES) // 2).to_bytes(2, "big") + bytes.fromhex(_SCHEMES)),
)
_LONGEST = 16384
_EXPORTED = b"client EAP encryption"


class RawTls:
    """The client interface of gateway.ppp.tls_messages.Handshake."""

    def __init__(self, certificates: Sequence[bytes], key: Any) -> None:
        self.done = False
        self.error = ""
        self._certificates = certificates
        self._key = key
        self._random = os.urandom(32)
        self._server_random = b""
        self._server_key = b""
        self._said = b""
        self._pieces = b""
        self._secret = b""
        self._sealed = False

    def step(self, flight: bytes) -> bytes:
        """Process the server's flight, if any; return the next one."""
        if not flight:
            return self._records(HANDSHAKE, self._message(HELLO, self._hello()))
        out = b""
        for kind, body in _split(flight):
            if kind == ALERT:
                self.error = f"alert {body[-1]}" if len(body) == 2 else "an alert"
            elif kind == CHANGE_CIPHER:
                self._sealed = True
            elif self._sealed:
                self.done = True
            else:
                out += self._handshake(body)
        return out

    def msk(self) -> bytes:
        """RFC 5216 2.3."""
        return _prf(self._secret, _EXPORTED, self._random + self._server_random, 64)

    def _hello(self) -> bytes:
        suites = ECDHE_RSA_AES128_GCM_SHA256 + SCSV
        extra = b"".join(kind.to_bytes(2, "big") + _vector(2, value) for kind, value in _EXTENSIONS)
        return VERSION + self._random + b"\0" + _vector(2, suites) + b"\1\0" + _vector(2, extra)

    def _handshake(self, body: bytes) -> bytes:
        self._pieces += body
        out = b""
        while len(self._pieces) >= 4:
            size = 4 + int.from_bytes(self._pieces[1:4], "big")
            if len(self._pieces) < size:
                break
            message, self._pieces = self._pieces[:size], self._pieces[size:]
            self._said += message
            kind = message[0]
            if kind == SERVER_HELLO:
                self._server_random = message[6:38]
            elif kind == SERVER_KEY:
                self._server_key = message[8 : 8 + message[7]]
            elif kind == DONE:
                out = self._answer()
        return out

    def _answer(self) -> bytes:
        own = ec.generate_private_key(ec.SECP256R1())
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self._server_key)
        shared = own.exchange(ec.ECDH(), theirs)
        self._secret = _prf(shared, b"master secret", self._random + self._server_random, 48)
        shown = b"".join(_vector(3, one) for one in self._certificates)
        point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        messages = self._message(CERTIFICATE, _vector(3, shown))
        messages += self._message(CLIENT_KEY, _vector(1, point))
        messages += self._message(VERIFY, self._signature())
        check = _prf(self._secret, b"client finished", hashlib.sha256(self._said).digest(), 12)
        finished = self._message(FINISHED, check)
        return (
            self._records(HANDSHAKE, messages)
            + self._records(CHANGE_CIPHER, b"\1")
            + self._records(HANDSHAKE, self._seal(finished))
        )

    def _signature(self) -> bytes:
        key, said = self._key, self._said
        if isinstance(key, rsa.RSAPrivateKey):
            return b"\x04\x01" + _vector(2, key.sign(said, padding.PKCS1v15(), hashes.SHA256()))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return b"\x08\x07" + _vector(2, key.sign(said))
        scheme, digest = _ECDSA[key.curve.name]
        return scheme + _vector(2, key.sign(said, ec.ECDSA(digest)))

    def _seal(self, message: bytes) -> bytes:
        """The first record under the new keys (RFC 5288 section 3)."""
        block = _prf(self._secret, b"key expansion", self._server_random + self._random, 40)
        key, salt, explicit = block[:16], block[32:36], bytes(8)
        head = bytes(8) + bytes((HANDSHAKE,)) + VERSION + len(message).to_bytes(2, "big")
        return explicit + AESGCM(key).encrypt(salt + explicit, message, head)

    def _message(self, kind: int, body: bytes) -> bytes:
        message = bytes((kind,)) + _vector(3, body)
        self._said += message
        return message

    @staticmethod
    def _records(kind: int, body: bytes) -> bytes:
        cut = range(0, len(body), _LONGEST)
        return b"".join(
            bytes((kind,)) + VERSION + _vector(2, body[at : at + _LONGEST]) for at in cut
        )


_ECDSA: dict[str, tuple[bytes, hashes.HashAlgorithm]] = {
    "secp256r1": (b"\x04\x03", hashes.SHA256()),
    "secp384r1": (b"\x05\x03", hashes.SHA384()),
    "secp521r1": (b"\x06\x03", hashes.SHA512()),
}


def _split(flight: bytes) -> Iterator[tuple[int, bytes]]:
    """Split records: type and content."""
    while len(flight) >= 5:
        size = int.from_bytes(flight[3:5], "big")
        yield flight[0], flight[5 : 5 + size]
        flight = flight[5 + size :]


def _vector(width: int, body: bytes) -> bytes:
    return len(body).to_bytes(width, "big") + body


def _prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """RFC 5246 section 5."""
    a = seed = label + seed
    out = b""
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:size]
