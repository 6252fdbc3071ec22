"""The VPN client configuration zip: a snapshot of the gateway's settings."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.profile.generic import vpn_settings
from gateway.profile.mobileconfig import mobileconfig
from gateway.profile.openvpn import vpnconfig
from gateway.profile.windows import setup_script

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.common.vocabulary import AuthenticationMethod, VpnProtocol

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can contain; fixed, so that equal settings give equal bytes."""


@dataclass(frozen=True)
class Snapshot:
    """The input of the profile."""

    fqdn: str
    certificate_name: str
    root_pem: str
    """The root by which clients authenticate the gateway."""
    protocols: tuple[VpnProtocol, ...]
    routes: tuple[IPv4Network, ...]
    tls_auth: str
    """OpenVPN's static key; empty without OpenVPN."""
    method: AuthenticationMethod = "EAPTLS"
    """How users authenticate with IKEv2 and SSTP."""
    radius: bool = False
    radius_root: bytes = b""
    """RADIUS with EAPTLS: the root by which clients authenticate the RADIUS server, DER."""
    ipsec: IpsecPolicy | None = None
    """The only algorithms that the gateway accepts for IKEv2; None: its default ones."""


def files(snapshot: Snapshot) -> dict[str, bytes]:
    """Path in the zip to content, in order.

    As Azure documents, Generic/ exists only with IKEv2 and OpenVPN/ only with OpenVPN; RADIUS adds
    Generic/RadiusServerRoot.cer for EAPTLS. Mac/ is there with IKEv2, as the seed has it; later
    Azure has it for EAPMSCHAPv2 only. In Generic/ the
    root has two names, for the scripts of Azure's articles read VpnServerRoot.cer_0, and older ones
    VpnServerRoot.cer. It is DER, as Windows exports a .cer by default; Azure does not document its
    format. WindowsLab/, with SSTP or IKEv2, is this lab's replacement for Azure's installers
    (WindowsAmd64/, WindowsX86/).
    """
    content: dict[str, bytes] = {}
    if "IkeV2" in snapshot.protocols:
        content |= _settings("Generic", snapshot)
        content["Generic/VpnServerRoot.cer_0"] = content["Generic/VpnServerRoot.cer"]
        content["Mac/VpnSettings.mobileconfig"] = mobileconfig(
            snapshot.fqdn,
            snapshot.root_pem,
            snapshot.method,
            snapshot.radius_root if snapshot.radius and snapshot.method == "EAPTLS" else b"",
            snapshot.ipsec,
        )
    if {"IkeV2", "SSTP"} & set(snapshot.protocols):
        content |= _settings("WindowsLab", snapshot)
        script = setup_script(
            snapshot.fqdn, snapshot.protocols, snapshot.routes, snapshot.method, snapshot.ipsec
        )
        content["WindowsLab/VpnClientSetup.ps1"] = script.encode()
    if "OpenVPN" in snapshot.protocols:
        text = vpnconfig(
            snapshot.fqdn, snapshot.certificate_name, snapshot.root_pem, snapshot.tls_auth
        )
        content["OpenVPN/vpnconfig.ovpn"] = text.encode()
    return content


def _settings(folder: str, snapshot: Snapshot) -> dict[str, bytes]:
    has_root = snapshot.radius and snapshot.method == "EAPTLS" and snapshot.radius_root
    return {
        **({f"{folder}/RadiusServerRoot.cer": snapshot.radius_root} if has_root else {}),
        f"{folder}/VpnServerRoot.cer": _der(snapshot.root_pem),
        f"{folder}/VpnSettings.xml": vpn_settings(
            snapshot.fqdn, snapshot.protocols, snapshot.routes, snapshot.ipsec
        ),
    }


def pack(content: dict[str, bytes]) -> bytes:
    """The zip; the same content gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _der(pem: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    return load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
