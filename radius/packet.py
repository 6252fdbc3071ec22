"""Access-Requests out, answers in: bytes to values and back, on pyrad. No sockets, no clock.

A server's answer is checked before pyrad parses it: inconsistent lengths, too many attributes, a
Response Authenticator or Message-Authenticator that does not match the secret (RFC 2865, RFC 3579,
CVE-2024-3596). Every error is a `Flaw`; nothing raises.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AccessRequest, AuthPacket

from radius.attributes import MICROSOFT, Pair, dictionary

T = TypeVar("T")
Flaw = Literal[
    "length",  # shorter or longer than its Length field says, or than RADIUS allows
    "attributes",  # an attribute is truncated, or its length is less than 2
    "flood",  # too many attributes
    "code",  # not an answer to an Access-Request
    "authenticator",  # the Response Authenticator does not match the secret
    "no-message-authenticator",
    "message-authenticator",  # it does not match the secret, or there are two
    "proxy-state",  # one that was not sent: a sign of CVE-2024-3596
    "eap",  # its EAP packet does not match the RADIUS code
    "unasked",  # there is no such request, or it has been answered
    "wrong-address",  # not from the server's address
]
"""A reason to ignore an answer."""

HEADER = 20
LONGEST = 4096
"""RFC 2865, section 3."""
MOST_ATTRIBUTES = 200
"""FreeRADIUS's default limit."""
LONGEST_VALUE = 253
LONGEST_EAP = 2048
"""The gateway's MRU is 1400; an Access-Request has room for little more."""
PROXY_STATE_LENGTH = 20
"""As in a captured request of Azure's gateway."""
_USER_NAME = 1
_EAP_MESSAGE, _MESSAGE_AUTHENTICATOR, _PROXY_STATE, _STATE, _REPLY_MESSAGE = 79, 80, 33, 24, 18
_CHAP_ERROR, _CHAP2_SUCCESS = (MICROSOFT, 2), (MICROSOFT, 26)
_KEY_LENGTHS = range(16, 65)
_REQUEST, _SUCCESS, _FAILURE = 1, 3, 4
"""EAP codes (RFC 3748)."""
_EAP_CODES = {AccessChallenge: _REQUEST, AccessAccept: _SUCCESS, AccessReject: _FAILURE}


@dataclass(frozen=True)
class Server:
    """A RADIUS server, its secret and its options."""

    address: str
    secret: bytes = field(repr=False)
    score: int = 0
    """Azure's radiusServerScore: the higher is asked first."""
    port: int = 1812
    may_omit_message_authenticator: bool = False
    """Accept answers without Message-Authenticator, except to EAP: for servers without the fix for
    CVE-2024-3596, such as Debian 12's FreeRADIUS 3.2.1 with PAP and raw MS-CHAPv2."""


@dataclass(frozen=True)
class Request:
    """An Access-Request before it is encoded with a server's secret."""

    pairs: Sequence[Pair]
    password: str | None = field(default=None, repr=False)
    """The password, for PAP."""
    eap: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Keys:
    """MS-MPPE-Recv-Key and MS-MPPE-Send-Key, decrypted; named from the server's view (RFC 2548)."""

    recv: bytes = field(repr=False)
    send: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """An authentic answer."""

    kind: Literal["accept", "reject", "challenge"]
    eap: bytes = field(default=b"", repr=False)
    state: bytes | None = None
    message: str = ""
    """Reply-Message, for people."""
    chap_error: bytes | None = None
    chap_success: bytes | None = None
    keys: Keys | None = None
    user: bytes = b""
    """User-Name (RFC 2865, section 5.1): the user's name according to the server."""


_KINDS: dict[int, Literal["accept", "reject", "challenge"]] = {
    AccessAccept: "accept",
    AccessReject: "reject",
    AccessChallenge: "challenge",
}


class Sent:
    """A request to one server: encoded once, sent one or more times.

    Retransmissions are the same bytes (RFC 5080, section 2.2.1), with the same identifier and
    authenticator.
    """

    def __init__(
        self, request: Request, server: Server, identifier: int, entropy: Callable[[int], bytes]
    ) -> None:
        self._packet = AuthPacket(
            AccessRequest,
            id=identifier,
            secret=server.secret,
            authenticator=entropy(16),
            dict=dictionary(),
        )
        self._packet.add_message_authenticator()  # the first attribute
        for name, value in request.pairs:
            self._packet.AddAttribute(name, value)
        if request.password is not None:
            hidden = self._packet.PwCrypt(request.password)
            self._packet.AddAttribute("User-Password", hidden)
        if request.eap is not None:
            self._packet[_EAP_MESSAGE] = split(request.eap)
        self._proxy_state = entropy(PROXY_STATE_LENGTH)
        self._packet.AddAttribute("Proxy-State", self._proxy_state)
        self._needs_message_authenticator = (
            request.eap is not None or not server.may_omit_message_authenticator
        )
        self.data: bytes = self._packet.RequestPacket()

    def read(self, data: bytes) -> Answer | Flaw:
        """Parse an answer; a Flaw unless it answers this request and proves the secret."""
        attributes = walk(data)
        if isinstance(attributes, str):
            return attributes
        data = data[: int.from_bytes(data[2:4])]
        if data[0] not in _KINDS:
            return "code"
        flaw = self._forged(data, attributes)
        return flaw or self._value(data)

    def _forged(self, data: bytes, attributes: list[tuple[int, bytes]]) -> Flaw | None:
        packet = self._packet
        expected = hashlib.md5(  # noqa: S324 (RADIUS's own)
            data[:4] + packet.authenticator + data[HEADER:] + packet.secret
        ).digest()
        if data[1] != packet.id or not hmac.compare_digest(expected, data[4:HEADER]):
            return "authenticator"
        marks = [value for kind, value in attributes if kind == _MESSAGE_AUTHENTICATOR]
        has_eap = any(kind == _EAP_MESSAGE for kind, _ in attributes)
        if not marks and (self._needs_message_authenticator or has_eap):
            return "no-message-authenticator"
        if marks and (len(marks) > 1 or not self._is_signed(data, marks[0])):
            return "message-authenticator"
        back = [value for kind, value in attributes if kind == _PROXY_STATE]
        return "proxy-state" if back not in ([], [self._proxy_state]) else None

    def _is_signed(self, data: bytes, mark: bytes) -> bool:
        def verified() -> bool:
            reply = self._packet.CreateReply(packet=data)
            ours = self._packet.authenticator
            return bool(reply.verify_message_authenticator(original_authenticator=ours))

        return len(mark) == 16 and parsed(verified) is True

    def _value(self, data: bytes) -> Answer | Flaw:
        reply = parsed(lambda: self._packet.CreateReply(packet=data))
        if reply is None:
            return "attributes"
        reply.request_authenticator = self._packet.authenticator
        eap = b"".join(reply.get(_EAP_MESSAGE, []))
        if eap and not _is_eap(eap, _EAP_CODES[data[0]]):
            return "eap"
        return Answer(
            kind=_KINDS[data[0]],
            eap=eap,
            state=_only(reply.get(_STATE)),
            message=b" ".join(reply.get(_REPLY_MESSAGE, [])).decode(errors="replace"),
            chap_error=_only(reply.get(_CHAP_ERROR)),
            chap_success=_only(reply.get(_CHAP2_SUCCESS)),
            keys=_keys(reply),
            user=_only(reply.get(_USER_NAME)) or b"",
        )


def parsed(read: Callable[[], T]) -> T | None:
    """The result of parsing untrusted bytes with pyrad, or None. pyrad's exceptions share no base
    class but Exception, so `read` should contain nothing but its calls."""
    try:
        return read()
    except Exception:  # noqa: BLE001
        return None


def walk(data: bytes) -> list[tuple[int, bytes]] | Flaw:
    """The attributes of a packet, or a Flaw if lengths are inconsistent; bytes after its end are
    padding."""
    if not HEADER <= len(data) <= LONGEST:
        return "length"
    end = int.from_bytes(data[2:4])
    if not HEADER <= end <= len(data):
        return "length"
    found: list[tuple[int, bytes]] = []
    at = HEADER
    while at < end:
        if len(found) == MOST_ATTRIBUTES:
            return "flood"
        length = data[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            return "attributes"
        found.append((data[at], data[at + 2 : at + length]))
        at += length
    return found


def split(eap: bytes) -> list[bytes]:
    """Split an EAP packet into values of EAP-Message attributes (RFC 3579, section 3.1)."""
    return [eap[at : at + LONGEST_VALUE] for at in range(0, len(eap), LONGEST_VALUE)]


def _is_eap(eap: bytes, code: int) -> bool:
    return len(eap) >= 4 and eap[0] == code and int.from_bytes(eap[2:4]) == len(eap)


def _only(values: list[bytes] | None) -> bytes | None:
    """The value of an attribute that may occur once; None: it is missing or repeated."""
    return values[0] if values and len(values) == 1 else None


def _keys(reply: AuthPacket) -> Keys | None:
    """Both keys, if each has a plausible length."""
    found = []
    for number in (17, 16):
        hidden = _only(reply.get((MICROSOFT, number)))
        if hidden is None or len(hidden) < 18 or len(hidden) % 16 != 2:
            return None
        key = parsed(partial(reply.SaltDecrypt, hidden))
        if key is None or len(key) not in _KEY_LENGTHS:
            return None
        found.append(key)
    return Keys(*found)
