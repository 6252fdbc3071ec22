"""WindowsLab/VpnClientSetup.ps1 of the client configuration.

Azure ships an undocumented installer; this script creates the same kind of connection with
Windows' own commands. It follows their documentation and has not been run on Windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    from gateway.common.vocabulary import AuthenticationMethod, VpnProtocol


_METHODS: dict[AuthenticationMethod, tuple[str, ...]] = {
    "EAPTLS": (
        "# The user's certificate must be in Cert:\\CurrentUser\\My.",
        "$eap = New-EapConfiguration -Tls -UserCertificate",
    ),
    "EAPMSCHAPv2": ("$eap = New-EapConfiguration",),
}
"""Without options, New-EapConfiguration makes EAP-MSCHAPv2 (its documentation)."""


def setup_script(
    fqdn: str,
    protocols: Iterable[VpnProtocol],
    routes: Iterable[IPv4Network],
    method: AuthenticationMethod = "EAPTLS",
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
        *(
            f"Add-VpnConnectionRoute -ConnectionName $name -DestinationPrefix '{route}'"
            for route in routes
        ),
        "",
    )
    return "\r\n".join(lines)
