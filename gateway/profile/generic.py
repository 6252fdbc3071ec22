"""Generic/ of the client configuration: settings for clients without an Azure installer.

Microsoft documents the root element VpnProfile with its children VpnServer, VpnType and Routes in
its Linux sample, which reads them (azure-docs, storage files P2S Linux). Whether Azure's file has
an IPsec policy is not documented: here it is one more element, in a namespace of the lab's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.common.vocabulary import VpnProtocol

NAMESPACE = "urn:p2slab:profile"
IPSEC_POLICY = f"{{{NAMESPACE}}}IpsecPolicy"
"""Name of the element whose attributes are ARM's fields of an IpsecPolicy."""

ET.register_namespace("lab", NAMESPACE)


def vpn_settings(
    fqdn: str,
    protocols: Iterable[VpnProtocol],
    routes: Iterable[IPv4Network],
    policy: IpsecPolicy | None = None,
) -> bytes:
    """VpnSettings.xml; lists are comma-separated, IkeV2 first."""
    profile = ET.Element("VpnProfile")
    ordered = sorted(protocols, key=lambda protocol: protocol != "IkeV2")
    for name, text in (
        ("VpnServer", fqdn),
        ("VpnType", ",".join(ordered)),
        ("Routes", ",".join(map(str, routes))),
    ):
        ET.SubElement(profile, name).text = text
    if policy:
        fields = {name: str(value) for name, value in policy}
        ET.SubElement(profile, IPSEC_POLICY, fields)
    ET.indent(profile)
    return bytes(ET.tostring(profile, encoding="utf-8", xml_declaration=True)) + b"\n"
