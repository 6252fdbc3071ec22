"""Crypto binding: proves that TLS and PPP have the same peer ([MS-SSTP] section 3.2.5.2).

The proof is the client's Call Connected: the server's nonce, the hash of the certificate that the
client got in TLS, and a MAC with a key from PPP authentication (HLAK, the higher-layer
authentication key, 32 bytes).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.sstp.protocol import building
from gateway.sstp.protocol.packets import DIGEST, NONCE, AttributeId, HashProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.sstp.protocol.packets import Control

_SEED = b"SSTP inner method derived CMK"
_NAMES: dict[int, str] = {HashProtocol.SHA1: "sha1", HashProtocol.SHA256: "sha256"}
_SIZES: dict[int, int] = {HashProtocol.SHA1: 20, HashProtocol.SHA256: 32}
_MAC_AT = 112 - DIGEST

BOTH = HashProtocol.SHA1 | HashProtocol.SHA256


class Key(Protocol):
    """A key from authentication, and the form in which it was derived."""

    @property
    def form(self) -> str:
        """Whose interpretation of the specification it follows (gateway.ppp.keys.Form)."""

    @property
    def key(self) -> bytes:
        """HLAK, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The binding is valid."""

    hash_protocol: HashProtocol
    form: str


@dataclass(frozen=True, slots=True)
class Unbound:
    """The binding is not valid."""

    why: str


def certificate_hashes(certificate: bytes) -> dict[HashProtocol, bytes]:
    """The hashes of the server's own certificate (DER), by hash protocol."""
    return {
        protocol: hashlib.new(_NAMES[protocol], certificate, usedforsecurity=False).digest()
        for protocol in BOTH
    }


def strongest(protocols: HashProtocol) -> HashProtocol | None:
    """The hash protocol that a client must choose (2.2.10); None: there is none."""
    for protocol in (HashProtocol.SHA256, HashProtocol.SHA1):
        if protocol in protocols:
            return protocol
    return None


def compound_mac_key(hlak: bytes, protocol: HashProtocol) -> bytes:
    """CMK: the first block of PRF+, as long as the hash (3.2.5.2.2 and 3.2.5.2.3).

    Its length field is little-endian, unlike everything else in SSTP.
    """
    size = _SIZES[protocol]
    return hmac.digest(hlak, _SEED + size.to_bytes(2, "little") + b"\x01", _NAMES[protocol])


def compound_mac(hlak: bytes, protocol: HashProtocol, packet: bytes) -> bytes:
    """The MAC over a Call Connected of 112 bytes, with zeros in its MAC field."""
    cleared = packet[:_MAC_AT] + bytes(DIGEST)
    return hmac.digest(compound_mac_key(hlak, protocol), cleared, _NAMES[protocol])


def connected(hlak: bytes, protocol: HashProtocol, nonce: bytes, certificate_hash: bytes) -> bytes:
    """The Call Connected with which a client binds its call."""
    unsigned = building.connected(protocol, nonce, certificate_hash, b"")
    mac = compound_mac(hlak, protocol, unsigned)
    return building.connected(protocol, nonce, certificate_hash, mac)


def check(
    control: Control,
    *,
    nonce: bytes,
    offered: HashProtocol,
    hashes: Mapping[HashProtocol, bytes],
    keys: Iterable[Key],
) -> Bound | Unbound:
    """A server's check of a well-formed Call Connected (3.3.5.2.3).

    Only the strongest offered hash is accepted: clients that have both must prefer SHA-256 (1.7),
    and every system supported by Azure has it. `keys` are tried in order. Comparisons take constant
    time.
    """
    value = control.value(AttributeId.CRYPTO_BINDING)
    assert value is not None
    chosen, theirs = value[3], value[4 : 4 + NONCE]
    if chosen not in _NAMES or not chosen & offered:
        return Unbound(f"hash protocol {chosen} was not offered")
    protocol = HashProtocol(chosen)
    if (best := strongest(offered)) and protocol != best:
        return Unbound(f"bound with {protocol.name}, where {best.name} was offered")
    if not hmac.compare_digest(theirs, nonce):
        return Unbound("the nonce is not the one sent")
    size = _SIZES[protocol]
    seen = value[4 + NONCE : 4 + NONCE + size]
    if not hmac.compare_digest(seen, hashes[protocol]):
        return Unbound("the client saw another server certificate")
    mac = value[4 + NONCE + DIGEST :][:size]
    for key in keys:
        if hmac.compare_digest(mac, compound_mac(key.key, protocol, control.packet)):
            return Bound(protocol, key.form)
    return Unbound("the compound MAC is wrong")
