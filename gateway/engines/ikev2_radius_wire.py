"""charon's eap-radius as it speaks to the gateway's own relay: bytes to values and back.

Sans-I/O, on pyrad. Only charon has the secret, and it is on this machine; what it did not write is
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyrad.packet import (
    AccessAccept,
    AccessChallenge,
    AccessReject,
    AccessRequest,
    AuthPacket,
)

from radius.attributes import dictionary
from radius.packet import Keys, parsed, split, walk

_USER_NAME, _STATE, _CALLING, _NAS_PORT, _EAP = 1, 24, 31, 5, 79
_FAILURE = 4


@dataclass(frozen=True)
class Asked:
    """An Access-Request of charon's."""

    identifier: int
    authenticator: bytes
    eap: bytes = field(repr=False)
    state: bytes | None
    uniqueid: str
    """The IKE_SA's, as vici has it."""
    address: str
    """The client's public address."""


def read(data: bytes, secret: bytes) -> Asked | None:
    """A request; None for what is not one, or not charon's."""
    attributes = walk(data)
    if isinstance(attributes, str) or data[0] != AccessRequest:
        return None

    def is_signed() -> bool:
        packet = AuthPacket(packet=data, secret=secret, dict=dictionary())
        return bool(packet.verify_message_authenticator())

    if not parsed(is_signed):
        return None
    values: dict[int, bytes] = {}
    for kind, value in attributes:  # EAP-Message may be in several parts
        values[kind] = values.get(kind, b"") + value if kind == _EAP else value
    port = values.get(_NAS_PORT, b"")
    return Asked(
        data[1],
        data[4:20],
        values.get(_EAP, b""),
        values.get(_STATE),
        str(int.from_bytes(port)) if len(port) == 4 else "",
        values.get(_CALLING, b"").decode(errors="replace"),
    )


def challenge(asked: Asked, secret: bytes, eap: bytes, state: bytes) -> bytes:
    """Access-Challenge."""
    reply = _reply(asked, secret, AccessChallenge, eap)
    reply.AddAttribute("State", state)
    return bytes(reply.ReplyPacket())


def accept(asked: Asked, secret: bytes, eap: bytes, keys: Keys) -> bytes:
    """Access-Accept, with the keys of the EAP method hidden anew for charon (RFC 2548)."""
    reply = _reply(asked, secret, AccessAccept, eap)
    reply.AddAttribute("MS-MPPE-Recv-Key", keys.recv)
    reply.AddAttribute("MS-MPPE-Send-Key", keys.send)
    return bytes(reply.ReplyPacket())


def reject(asked: Asked, secret: bytes, eap: bytes = b"") -> bytes:
    """Access-Reject; without an EAP packet, with the plain EAP-Failure (RFC 3748)."""
    identifier = asked.eap[1] if len(asked.eap) > 1 else 0
    failure = eap or bytes((_FAILURE, identifier, 0, 4))
    return bytes(_reply(asked, secret, AccessReject, failure).ReplyPacket())


def _reply(asked: Asked, secret: bytes, code: int, eap: bytes) -> AuthPacket:
    request = AuthPacket(
        AccessRequest,
        id=asked.identifier,
        secret=secret,
        authenticator=asked.authenticator,
        dict=dictionary(),
    )
    reply = request.CreateReply()
    reply.code = code
    reply.add_message_authenticator()
    reply[_EAP] = split(eap)
    return reply
