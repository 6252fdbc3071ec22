"""Mac/ of the client configuration: a configuration profile for RADIUS passwords over IKEv2.

Azure documents only that the file exists (azure-docs,
point-to-site-vpn-client-configuration-radius-password). The keys are Apple's, according to
strongSwan's documentation of iOS and macOS; the proposals are a Mac's defaults.
"""

from __future__ import annotations

import plistlib
from uuid import NAMESPACE_DNS, UUID, uuid5

_SECURITY = {
    "EncryptionAlgorithm": "AES-256",
    "IntegrityAlgorithm": "SHA2-256",
    "DiffieHellmanGroup": 14,
}


def mobileconfig(fqdn: str, root_pem: str) -> bytes:
    """The profile with the root and the connection. ExtendedAuthEnabled without a certificate means
    EAP-MSCHAPv2. The same gateway gives the same bytes."""
    own = uuid5(NAMESPACE_DNS, fqdn)
    root = _payload(own, "root", "com.apple.security.root", "Root of the VPN gateway")
    vpn = _payload(own, "vpn", "com.apple.vpn.managed", "IkeV2-VPN")
    content = {
        **_payload(own, "profile", "Configuration", "Azure VPN"),
        "PayloadContent": [
            {**root, "PayloadContent": _der(root_pem)},
            {**vpn, "UserDefinedName": "IkeV2-VPN", "VPNType": "IKEv2", "IKEv2": _ikev2(fqdn)},
        ],
    }
    return plistlib.dumps(content)


def _ikev2(fqdn: str) -> dict[str, object]:
    return {
        "RemoteAddress": fqdn,
        "RemoteIdentifier": fqdn,
        "LocalIdentifier": "",
        "AuthenticationMethod": "None",
        "ExtendedAuthEnabled": 1,
        "IKESecurityAssociationParameters": _SECURITY,
        "ChildSecurityAssociationParameters": _SECURITY,
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
