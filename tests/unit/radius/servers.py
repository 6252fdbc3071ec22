"""A RADIUS server in a few lines, independent of the code under test: it answers with bytes."""

from __future__ import annotations

import hashlib
import hmac
import struct

SECRET = b"lab-secret"
ACCEPT, REJECT, CHALLENGE = 2, 3, 11


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!BB", kind, len(value) + 2) + value


def vendor(kind: int, value: bytes) -> bytes:
    return attribute(26, struct.pack("!IBB", 311, kind, len(value) + 2) + value)


def parse(request: bytes) -> list[tuple[int, bytes]]:
    """Attributes of a request; Microsoft's by 311000 + number."""
    assert int.from_bytes(request[2:4]) == len(request)
    found, at = [], 20
    while at < len(request):
        kind, length = request[at], request[at + 1]
        value = request[at + 2 : at + length]
        if kind == 26:
            assert int.from_bytes(value[:4]) == 311
            kind, value = 311000 + value[4], value[6 : 4 + value[5]]
        found.append((kind, value))
        at += length
    return found


def is_signed(request: bytes, secret: bytes = SECRET) -> bool:
    """RFC 3579, section 3.2: the HMAC over the packet with the attribute's value zeroed."""
    at = 20
    while request[at] != 80:
        at += request[at + 1]
    zeroed = request[: at + 2] + bytes(16) + request[at + 18 :]
    return hmac.digest(secret, zeroed, "md5") == request[at + 2 : at + 18]


def reply(
    request: bytes,
    code: int,
    attributes: bytes = b"",
    *,
    secret: bytes = SECRET,
    signed: bool = True,
    proxy_state: bool = True,
) -> bytes:
    """An answer according to RFC 2865 and RFC 3579."""
    echoed = [attribute(33, value) for kind, value in parse(request) if kind == 33]
    body = (attribute(80, bytes(16)) if signed else b"") + attributes
    body += b"".join(echoed) if proxy_state else b""
    head = struct.pack("!BBH", code, request[1], 20 + len(body))
    authenticator = request[4:20]
    if signed:
        mark = hmac.digest(secret, head + authenticator + body, "md5")
        body = attribute(80, mark) + body[18:]
    return head + hashlib.md5(head + authenticator + body + secret).digest() + body


def hidden(key: bytes, request: bytes, salt: bytes = b"\x80\x01", secret: bytes = SECRET) -> bytes:
    """A key encrypted according to RFC 2548, section 2.4.2."""
    plain = bytes((len(key),)) + key
    plain += bytes(-len(plain) % 16)
    last, out = request[4:20] + salt, b""
    for at in range(0, len(plain), 16):
        mask = hashlib.md5(secret + last).digest()
        last = bytes(a ^ b for a, b in zip(plain[at : at + 16], mask, strict=True))
        out += last
    return salt + out


def keys(request: bytes, recv: bytes, send: bytes) -> bytes:
    return vendor(17, hidden(recv, request, b"\x80\x01")) + vendor(
        16, hidden(send, request, b"\xff\x02")
    )
