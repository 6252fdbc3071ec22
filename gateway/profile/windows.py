"""WindowsLab/VpnClientSetup.ps1 of the client configuration.

Azure ships an undocumented installer; this script creates the same kind of connection with
Windows' own commands. It follows their documentation and has not been run on Windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.common.vocabulary import AuthenticationMethod, VpnProtocol


_METHODS: dict[AuthenticationMethod, tuple[str, ...]] = {
    "EAPTLS": (
        "# The user's certificate must be in Cert:\\CurrentUser\\My.",
        "$eap = New-EapConfiguration -Tls -UserCertificate",
    ),
    "EAPMSCHAPv2": ("$eap = New-EapConfiguration",),
}
"""Without options, New-EapConfiguration makes EAP-MSCHAPv2 (its documentation)."""

# Windows' words for those of an IPsec policy of clients, where they differ from ARM's
# (Set-VpnConnectionIPsecConfiguration).
_WORDS = {
    "DHGroup2": "Group2",
    "DHGroup14": "Group14",
    "DHGroup2048": "Group14",
    "DHGroup24": "Group24",
    "PFS14": "PFS2048",
}


def setup_script(
    fqdn: str,
    protocols: Iterable[VpnProtocol],
    routes: Iterable[IPv4Network],
    method: AuthenticationMethod = "EAPTLS",
    policy: IpsecPolicy | None = None,
) -> str:
    """The script, with CRLF line endings; `Automatic` tries IKEv2 first, then SSTP (seed)."""
    offered = {"IkeV2", "SSTP"} & set(protocols)
    tunnel = "Automatic" if len(offered) == 2 else {"IkeV2": "Ikev2", "SSTP": "Sstp"}[offered.pop()]
    lines = (
        "#Requires -RunAsAdministrator",
        f"$name = '{fqdn}'",
        "Import-Certificate -CertStoreLocation Cert:\\LocalMachine\\Root `",
        "    -FilePath (Join-Path $PSScriptRoot 'VpnServerRoot.cer') | Out-Null",
        *_METHODS[method],
        f"Add-VpnConnection -Name $name -ServerAddress '{fqdn}' -TunnelType {tunnel} `",
        "    -AuthenticationMethod Eap -EapConfigXmlStream $eap.EapConfigXmlStream `",
        "    -EncryptionLevel Required -SplitTunneling -Force",
        *(_ipsec(policy) if policy else ()),
        *(
            f"Add-VpnConnectionRoute -ConnectionName $name -DestinationPrefix '{route}'"
            for route in routes
        ),
        "",
    )
    return "\r\n".join(lines)


def _ipsec(policy: IpsecPolicy) -> tuple[str, ...]:
    """Windows offers group 2 alone unless it is told otherwise (docs/facts.md §15)."""
    authentication = {"SHA256": "SHA256128"}.get(policy.ipsecIntegrity, policy.ipsecIntegrity)
    return (
        "Set-VpnConnectionIPsecConfiguration -ConnectionName $name -Force `",
        f"    -EncryptionMethod {policy.ikeEncryption} `",
        f"    -IntegrityCheckMethod {policy.ikeIntegrity} `",
        f"    -DHGroup {_WORDS.get(policy.dhGroup, policy.dhGroup)} `",
        f"    -CipherTransformConstants {policy.ipsecEncryption} `",
        f"    -AuthenticationTransformConstants {authentication} `",
        f"    -PfsGroup {_WORDS.get(policy.pfsGroup, policy.pfsGroup)}",
    )
