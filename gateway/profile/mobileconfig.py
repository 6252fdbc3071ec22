"""Mac/ of the client configuration: a configuration profile for IKEv2.

Seed: "For Mac devices, it consists of the mobileconfig file that users install on their devices."
What is in it is not documented. The keys are Apple's, according to
strongSwan's documentation of iOS and macOS; the proposals are a Mac's defaults, or those of the
gateway's IPsec policy.
"""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING
from uuid import NAMESPACE_DNS, UUID, uuid5

if TYPE_CHECKING:
    from gateway.arm.ipsec import IpsecPolicy
    from gateway.common.vocabulary import AuthenticationMethod

_SECURITY = {
    "EncryptionAlgorithm": "AES-256",
    "IntegrityAlgorithm": "SHA2-256",
    "DiffieHellmanGroup": 14,
}
_DEFAULT = {
    "IKESecurityAssociationParameters": _SECURITY,
    "ChildSecurityAssociationParameters": _SECURITY,
}


# Apple's words for those of an IPsec policy of clients (Apple's Device Management, "VPN.IKEv2").
# Apple has no group 24.
_CIPHERS = {
    "AES128": "AES-128",
    "AES256": "AES-256",
    "GCMAES128": "AES-128-GCM",
    "GCMAES256": "AES-256-GCM",
}
_HASHES = {"SHA256": "SHA2-256", "SHA384": "SHA2-384"}
_GROUPS = {
    "DHGroup2": 2,
    "DHGroup14": 14,
    "DHGroup2048": 14,
    "DHGroup24": 24,
    "ECP256": 19,
    "ECP384": 20,
    "PFS2": 2,
    "PFS14": 14,
    "PFS2048": 14,
    "PFS24": 24,
}


_AUTHENTICATION: dict[AuthenticationMethod, str] = {"EAPTLS": "Certificate", "EAPMSCHAPv2": "None"}
"""With ExtendedAuthEnabled. The certificate itself is the user's, who chooses it on the device."""


def mobileconfig(
    fqdn: str,
    root_pem: str,
    method: AuthenticationMethod = "EAPTLS",
    radius_root: bytes = b"",
    policy: IpsecPolicy | None = None,
) -> bytes:
    """The profile with the gateway's root, that of the RADIUS server (DER) if it judges
    certificates, and the connection. The same gateway gives the same bytes."""
    own = uuid5(NAMESPACE_DNS, fqdn)
    root = _payload(own, "root", "com.apple.security.root", "Root of the VPN gateway")
    radius = _payload(own, "radius", "com.apple.security.root", "Root of the RADIUS server")
    vpn = _payload(own, "vpn", "com.apple.vpn.managed", "IkeV2-VPN")
    content = {
        **_payload(own, "profile", "Configuration", "Azure VPN"),
        "PayloadContent": [
            {**root, "PayloadContent": _der(root_pem)},
            *([{**radius, "PayloadContent": radius_root}] if radius_root else []),
            {
                **vpn,
                "UserDefinedName": "IkeV2-VPN",
                "VPNType": "IKEv2",
                "IKEv2": _ikev2(fqdn, method, policy),
            },
        ],
    }
    return plistlib.dumps(content)


def _ikev2(
    fqdn: str, method: AuthenticationMethod, policy: IpsecPolicy | None
) -> dict[str, object]:
    return {
        "RemoteAddress": fqdn,
        "RemoteIdentifier": fqdn,
        "LocalIdentifier": "",
        "AuthenticationMethod": _AUTHENTICATION[method],
        "ExtendedAuthEnabled": 1,
        **(_agreed(policy) if policy else _DEFAULT),
    }


def _agreed(policy: IpsecPolicy) -> dict[str, object]:
    pfs = policy.dhGroup if policy.pfsGroup == "PFSMM" else policy.pfsGroup
    ike = _security(policy.ikeEncryption, policy.ikeIntegrity, policy.dhGroup)
    child = _security(policy.ipsecEncryption, policy.ipsecIntegrity, pfs)
    return {
        "IKESecurityAssociationParameters": ike,
        "ChildSecurityAssociationParameters": child,
        "EnablePFS": int(pfs != "None"),
    }


def _security(cipher: str, integrity: str, group: str) -> dict[str, object]:
    """GCM needs no integrity algorithm, and no PFS no group."""
    return {
        "EncryptionAlgorithm": _CIPHERS[cipher],
        **({"IntegrityAlgorithm": _HASHES[integrity]} if integrity in _HASHES else {}),
        **({"DiffieHellmanGroup": _GROUPS[group]} if group in _GROUPS else {}),
    }


def _payload(own: UUID, part: str, kind: str, name: str) -> dict[str, object]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadUUID": str(uuid5(own, part)).upper(),
        "PayloadIdentifier": f"com.microsoft.azure.vpn.{own}.{part}",
        "PayloadDisplayName": name,
    }


def _der(pem: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    return load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
