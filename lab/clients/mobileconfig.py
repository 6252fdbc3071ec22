"""Read Mac/VpnSettings.mobileconfig as macOS and iOS do: as untrusted bytes.

Keys and words are Apple's (Device Management, "VPN.IKEv2"). Its own routes are those that the
gateway grants (RFC 7296, section 2.9).
"""

from __future__ import annotations

import plistlib
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.charon.proposals import Proposals

_CIPHERS = {
    "AES-128": "aes128",
    "AES-256": "aes256",
    "AES-128-GCM": "aes128gcm16",
    "AES-256-GCM": "aes256gcm16",
}
_HASHES = {"SHA2-256": "sha256", "SHA2-384": "sha384"}
_BY_CERTIFICATE = {(1, "Certificate"): True, (1, "None"): False}
_GROUPS = {2: "modp1024", 14: "modp2048", 19: "ecp256", 20: "ecp384", 24: "modp2048s256"}


@dataclass(frozen=True)
class AppleSettings:
    """The settings of an IKEv2 connection."""

    server: str
    """The address to dial."""
    identity: str
    """The name that the gateway must prove."""
    roots: bytes
    """PEM: the certificates that are trusted from then on, the gateway's root first."""
    certificate: bool
    """Whether the user shows a certificate (EAP-TLS); otherwise a password."""
    proposals: Proposals


def read_mobileconfig(data: bytes) -> AppleSettings:
    """ValueError: it is not a profile with one IKEv2 connection that authenticates by EAP."""
    try:
        payloads = plistlib.loads(data, fmt=plistlib.FMT_XML)["PayloadContent"]
        roots = b"".join(
            x509.load_der_x509_certificate(one["PayloadContent"]).public_bytes(Encoding.PEM)
            for one in payloads
            if one["PayloadType"] == "com.apple.security.root"
        )
        (ikev2,) = (one["IKEv2"] for one in payloads if one.get("VPNType") == "IKEv2")
        return AppleSettings(
            ikev2["RemoteAddress"],
            ikev2["RemoteIdentifier"],
            roots,
            _BY_CERTIFICATE[ikev2["ExtendedAuthEnabled"], ikev2["AuthenticationMethod"]],
            _proposals(ikev2),
        )
    except (KeyError, TypeError, AttributeError, ExpatError, ValueError) as error:
        raise ValueError(f"the mobileconfig: {error}") from error


def _proposals(ikev2: dict[str, Any]) -> Proposals:
    ike, child = (ikev2[f"{kind}SecurityAssociationParameters"] for kind in ("IKE", "Child"))
    prf = "prf" if ike["EncryptionAlgorithm"].endswith("GCM") else ""
    words = [
        _CIPHERS[ike["EncryptionAlgorithm"]],
        prf + _HASHES[ike["IntegrityAlgorithm"]],
        _GROUPS[ike["DiffieHellmanGroup"]],
    ]
    esp = [_CIPHERS[child["EncryptionAlgorithm"]]]
    if not esp[0].endswith("gcm16"):
        esp.append(_HASHES[child["IntegrityAlgorithm"]])
    if ikev2.get("EnablePFS"):
        esp.append(_GROUPS[child["DiffieHellmanGroup"]])
    return Proposals(("-".join(words),), ("-".join(esp),))
