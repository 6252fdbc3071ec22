"""Rewrites RADIUS packets in a proxy for the other side's secret (RFC 2865, section 2.3).

Pure, on pyrad. Attributes encrypted with a secret (User-Password, MS-MPPE keys) are decrypted and
encrypted again. Message-Authenticator is verified in incoming packets, and is the first attribute
of outgoing ones. The proxy adds its own Proxy-State and returns the client's unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pyrad.packet import AccessRequest, AuthPacket

from radius.attributes import MICROSOFT, dictionary
from radius.packet import parsed, walk

USER_NAME, USER_PASSWORD, PROXY_STATE, EAP_MESSAGE, MESSAGE_AUTHENTICATOR = 1, 2, 33, 79, 80
REPLY_MESSAGE, STATE = 18, 24
KEYS = ((MICROSOFT, 16), (MICROSOFT, 17))
OURS = b"p2slab-push-proxy"
"""The proxy's own Proxy-State."""


def read_request(data: bytes, secret: bytes) -> AuthPacket | None:
    """Parse an Access-Request signed with the secret; None for anything else."""
    attributes = walk(data)
    if isinstance(attributes, str) or data[0] != AccessRequest:
        return None
    marks = [len(value) for kind, value in attributes if kind == MESSAGE_AUTHENTICATOR]

    def read() -> AuthPacket | None:
        packet = AuthPacket(packet=data, secret=secret, dict=dictionary())
        return packet if packet.verify_message_authenticator() else None

    return parsed(read) if marks == [16] else None


def onwards(
    request: AuthPacket, identifier: int, secret: bytes, entropy: Callable[[int], bytes]
) -> AuthPacket | None:
    """The request for the server; None: its password is not encrypted properly."""
    packet = AuthPacket(
        AccessRequest, id=identifier, secret=secret, authenticator=entropy(16), dict=dictionary()
    )
    packet.add_message_authenticator()
    for kind in _codes(request):
        if kind == USER_PASSWORD:
            password = revealed(request)
            if password is None:
                return None
            packet[kind] = [packet.PwCrypt(password)]
        elif kind not in (MESSAGE_AUTHENTICATOR, PROXY_STATE):
            packet[kind] = list(request[kind])
    packet[PROXY_STATE] = [*request.get(PROXY_STATE, []), OURS]
    return packet


def revealed(request: AuthPacket) -> bytes | None:
    """The password of an Access-Request (RFC 2865, section 5.2), without its padding."""
    values = request.get(USER_PASSWORD, [])
    if len(values) != 1 or not values[0] or len(values[0]) % 16:
        return None
    hidden, last, out = values[0], request.authenticator, b""
    for at in range(0, len(hidden), 16):
        mask = hashlib.md5(request.secret + last).digest()  # noqa: S324 (RADIUS's own)
        last = hidden[at : at + 16]
        out += bytes(a ^ b for a, b in zip(last, mask, strict=True))
    return out.rstrip(b"\0")


def read_answer(data: bytes, asked: AuthPacket) -> AuthPacket | None:
    """Parse the server's answer; None unless it is an authentic answer to this request."""

    def read() -> AuthPacket | None:
        answer = asked.CreateReply(packet=data)
        answer.request_authenticator = asked.authenticator
        return answer if asked.VerifyReply(answer) else None

    return None if isinstance(walk(data), str) else parsed(read)


def back(answer: AuthPacket, request: AuthPacket) -> bytes:
    """The answer for the client, encoded with the client's secret."""
    reply = request.CreateReply()
    reply.code = answer.code
    reply.request_authenticator = request.authenticator
    for kind in _codes(answer):
        values = answer[kind]
        if kind in KEYS:
            reply[kind] = [reply.SaltCrypt(key) for key in _decrypted(answer, values)]
        elif kind not in (MESSAGE_AUTHENTICATOR, PROXY_STATE):
            reply[kind] = list(values)
    return signed(reply)


def made_up(
    request: AuthPacket, code: int, message: str, *, eap: bytes = b"", state: bytes = b""
) -> bytes:
    """An answer by the proxy itself."""
    reply = request.CreateReply()
    reply.code = code
    reply[REPLY_MESSAGE] = [message.encode()]
    if eap:
        reply[EAP_MESSAGE] = [eap]
    if state:
        reply[STATE] = [state]
    return signed(reply)


def signed(reply: AuthPacket) -> bytes:
    """The encoded reply; pyrad adds a Message-Authenticator as first attribute (CVE-2024-3596)."""
    data: bytes = reply.ReplyPacket()
    return data


def _codes(packet: AuthPacket) -> list[int | tuple[int, int]]:
    """The attribute types in a packet, as numbers."""
    return list(iter(packet))  # packet.keys() would return names


def _decrypted(answer: AuthPacket, values: list[bytes]) -> list[bytes]:
    return parsed(lambda: [answer.SaltDecrypt(value) for value in values]) or []
