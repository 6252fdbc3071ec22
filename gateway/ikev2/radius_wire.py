"""RADIUS between charon's eap-radius and the gateway's relay: bytes to values and back.

Sans-I/O, on pyrad. Only charon, on this machine, has the secret; other packets are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from pyrad.packet import (
    AccessAccept,
    AccessChallenge,
    AccessReject,
    AccessRequest,
    AccountingRequest,
    AcctPacket,
    AuthPacket,
)

from radius.attributes import dictionary
from radius.packet import LONGEST_VALUE, Keys, parsed, split, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = 1
_STATE, _CALLING, _NAS_PORT, _EAP = 24, 31, 5, 79
_FRAMED_ADDRESS, _CLASS, _STATUS, _SESSION = 8, 25, 40, 44
_DNS = (311, 28)
"""MS-Primary-DNS-Server (RFC 2548 2.7.1); charon accepts any number of them."""
_START, _STOP = 1, 2
_FAILURE = 4
_IDENTITY = 1


@dataclass(frozen=True)
class Asked:
    """charon's Access-Request."""

    identifier: int
    authenticator: bytes
    eap: bytes = field(repr=False)
    state: bytes | None
    uniqueid: str
    """The IKE_SA's unique id, as in vici."""
    address: str
    """The client's public address."""
    port: str = ""
    began: str = ""
    """When the client's attempt began (gateway.policy.diagnostics.now); the relay knows it."""


def read(data: bytes, secret: bytes) -> Asked | None:
    """Parse an Access-Request; None if it is not one, or not charon's."""
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
        _whole(values.get(_EAP, b""), values.get(_NAME, b"")),
        values.get(_STATE),
        str(int.from_bytes(port)) if len(port) == 4 else "",
        *_station(values),
    )


def _whole(eap: bytes, name: bytes) -> bytes:
    """charon puts an EAP identity into one attribute, and cuts it at 253 bytes; the User-Name has
    all of it."""
    head, identity = eap[:5], eap[5:]
    fits = int.from_bytes(head[2:4]) == 5 + len(name) and name.startswith(identity)
    return head + name if _is_cut(eap) and fits else eap


def fitting(eap: bytes) -> bytes:
    """An identity that charon has cut, with the length that is left. A certificate's subject may be
    so long; where a certificate is shown, nobody asks the identity who it is."""
    return eap[:2] + len(eap).to_bytes(2, "big") + eap[4:] if _is_cut(eap) else eap


def _is_cut(eap: bytes) -> bool:
    return len(eap) == LONGEST_VALUE < int.from_bytes(eap[2:4]) and eap[4] == _IDENTITY


def _station(values: dict[int, bytes]) -> tuple[str, str]:
    """Address and port of Calling-Station-Id, `192.0.2.1[4500]`."""
    address, _, port = values.get(_CALLING, b"").decode(errors="replace").partition("[")
    return address, port.removesuffix("]")


def challenge(asked: Asked, secret: bytes, eap: bytes, state: bytes) -> bytes:
    """Access-Challenge."""
    reply = _reply(asked, secret, AccessChallenge, eap)
    reply.AddAttribute("State", state)
    return bytes(reply.ReplyPacket())


@dataclass(frozen=True)
class Accounting:
    """charon's Accounting-Request, Start or Stop.

    charon sends Start after it has assigned the address and before it answers the client.
    """

    data: bytes = field(repr=False)
    begins: bool
    session: str
    """Acct-Session-Id, which stays the same when the IKE_SA is rekeyed."""
    token: bytes
    """The Class of the Access-Accept."""
    uniqueid: str
    address: IPv4Address | None
    """Framed-IP-Address."""
    public_address: str = ""
    public_port: str = ""


def read_accounting(data: bytes, secret: bytes) -> Accounting | None:
    """Parse a Start or Stop; None if it is neither, or not charon's."""
    attributes = walk(data)
    if isinstance(attributes, str) or data[0] != AccountingRequest:
        return None
    try:
        if not AcctPacket(packet=data, secret=secret, dict=dictionary()).VerifyAcctRequest():
            return None
    except Exception:  # noqa: BLE001 - pyrad's exceptions share no base class
        return None
    values = dict(attributes)
    status, port, address = (
        values.get(kind, b"") for kind in (_STATUS, _NAS_PORT, _FRAMED_ADDRESS)
    )
    if len(status) != 4 or int.from_bytes(status) not in {_START, _STOP}:
        return None
    return Accounting(
        data,
        int.from_bytes(status) == _START,
        values.get(_SESSION, b"").decode(errors="replace"),
        values.get(_CLASS, b""),
        str(int.from_bytes(port)) if len(port) == 4 else "",
        IPv4Address(address) if len(address) == 4 else None,
        *_station(values),
    )


def acknowledge(accounting: Accounting, secret: bytes) -> bytes:
    """Accounting-Response."""
    request = AcctPacket(packet=accounting.data, secret=secret, dict=dictionary())
    return bytes(request.CreateReply().ReplyPacket())


@dataclass(frozen=True)
class Grant:
    """What an admitted client gets. charon echoes `token` in its Accounting-Request."""

    eap: bytes
    keys: Keys
    address: IPv4Address
    dns: Sequence[IPv4Address]
    token: bytes


def accept(asked: Asked, secret: bytes, grant: Grant) -> bytes:
    """Access-Accept, with the EAP method's keys encrypted for charon (RFC 2548)."""
    reply = _reply(asked, secret, AccessAccept, grant.eap)
    reply.AddAttribute("MS-MPPE-Recv-Key", grant.keys.recv)
    reply.AddAttribute("MS-MPPE-Send-Key", grant.keys.send)
    reply[_FRAMED_ADDRESS] = [grant.address.packed]
    reply[_CLASS] = [grant.token]
    if grant.dns:
        reply[_DNS] = [server.packed for server in grant.dns]
    return bytes(reply.ReplyPacket())


def reject(asked: Asked, secret: bytes, eap: bytes = b"") -> bytes:
    """Access-Reject with the given EAP packet, by default a plain EAP-Failure (RFC 3748)."""
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
