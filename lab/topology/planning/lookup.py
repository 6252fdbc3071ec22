"""What belongs to what in a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.topology.planning.plan import GatewayPlan, Plan


def connected_sites(plan: Plan) -> dict[str, GatewayPlan]:
    """Site to the gateway to which it has a tunnel."""
    return {
        connection["name"]: gateway
        for gateway in plan.gateways
        for connection in gateway.connections
    }


def gateway_of_site(plan: Plan, site: str) -> str:
    """The gateway's name; UsageError if the site has no connection."""
    found = connected_sites(plan).get(site)
    if found is None:
        raise UsageError(f"the site {site} has no connection", "a site with `connection:`")
    return found.name


def radius_servers(plan: Plan) -> list[str]:
    """Addresses of all RADIUS servers that gateways are told of, the higher score first."""
    found: dict[str, int] = {}
    for gateway in plan.gateways:
        client = gateway.resource["properties"].get("vpnClientConfiguration") or {}
        if client.get("radiusServerAddress"):
            found.setdefault(client["radiusServerAddress"], 0)
        for server in client.get("radiusServers", ()):
            found.setdefault(server["radiusServerAddress"], server.get("radiusServerScore") or 0)
    return sorted(found, key=lambda address: -found[address])
