"""Where a gateway's program is put, when it runs alone: no VNet is behind it."""

from __future__ import annotations

from typing import Any

from lab.topology.planning.plan import Cable, CertificatePlan, End, NodePlan, Route

PUBLIC, PRIVATE = "203.0.113.2", "10.1.255.4"
_ROUTER = "203.0.113.1"


def placement(identifier: str, fqdn: str) -> dict[str, Any]:
    """The document of gateway.arm.placement."""
    return {
        "name": "gw",
        "gatewayId": identifier,
        "fqdn": fqdn,
        "publicIPAddress": PUBLIC,
        "privateIPAddress": PRIVATE,
        "virtualNetwork": {"name": "v", "addressPrefixes": ["10.1.0.0/16"], "dnsServers": []},
        "interfaces": {"public": "wan", "private": "lo"},
        "serverCertificate": {
            "certificate": "/run/gateway/server.pem",
            "privateKey": "/run/gateway/server.key",
            "root": "/run/gateway/root.pem",
        },
    }


def certificates_of(*names: str) -> tuple[CertificatePlan, CertificatePlan]:
    """A public root, and the gateway's certificate with these names."""
    return (
        CertificatePlan("public-root", "Public Root", None, "root"),
        CertificatePlan("gw-server", names[0], "public-root", "server", dns_names=names),
    )


def gateway_node(*needs: str) -> NodePlan:
    """The gateway's computer."""
    return NodePlan(
        "gw",
        "gateway",
        needs=needs,  # type: ignore[arg-type]
        loopback=(f"{PRIVATE}/32",),
        routes=(Route("default", _ROUTER),),
        forwarding=True,
    )


INTERNET = NodePlan("net", "internet", forwarding=True)
CABLE = Cable(End("net", "gw", (f"{_ROUTER}/30",)), End("gw", "wan", (f"{PUBLIC}/30",)))
"""Between the two."""
