"""What a gateway's document says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def configuration_of(document: Document) -> Mapping[str, Any]:
    """Its vpnClientConfiguration; empty: it has none."""
    found: Mapping[str, Any] = document.get("properties", {}).get("vpnClientConfiguration") or {}
    return found


def by_radius(document: Document) -> bool:
    """Whether a RADIUS server authenticates its users."""
    return "Radius" in configuration_of(document).get("vpnAuthenticationTypes", ())


def protocols_of(document: Document) -> tuple[str, ...]:
    """The protocols that the gateway offers."""
    return tuple(configuration_of(document).get("vpnClientProtocols", ()))


def authenticated_by(document: Document) -> tuple[str, ...]:
    """How clients are authenticated: vpnAuthenticationTypes."""
    return tuple(configuration_of(document).get("vpnAuthenticationTypes", ()))


def pool_of(document: Document) -> tuple[str, ...]:
    """The prefixes of the client address pool."""
    pool = configuration_of(document).get("vpnClientAddressPool", {})
    return tuple(pool.get("addressPrefixes", ()))


def revoked_in(document: Document) -> list[tuple[str, str]]:
    """Name and thumbprint, in capitals, of each entry of vpnClientRevokedCertificates."""
    rows = configuration_of(document).get("vpnClientRevokedCertificates") or []
    return [
        (str(row.get("name", "(no name)")), row["properties"]["thumbprint"].upper()) for row in rows
    ]


def entry_of(thumbprint: str, document: Document) -> str:
    """The name of the entry of vpnClientRevokedCertificates with a thumbprint, if there is one."""
    rows = revoked_in(document)
    return next((name for name, own in rows if own == thumbprint.upper()), "")


def radius_servers_of(document: Document) -> list[str]:
    """The addresses of the RADIUS servers, the one with the highest score first."""
    configuration = configuration_of(document)
    rows = configuration.get("radiusServers") or []
    ordered = sorted(rows, key=lambda row: -(row.get("radiusServerScore") or 0))
    own = configuration.get("radiusServerAddress")
    return [row["radiusServerAddress"] for row in ordered] or ([own] if own else [])
