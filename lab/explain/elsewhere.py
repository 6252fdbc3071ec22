"""A host of another VNet than the one that a client is connected to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from lab.explain.absent import absent
from lab.explain.model import Finding, failure, stamp
from lab.explain.place import crossing

if TYPE_CHECKING:
    from lab.topology.planning.plan import GatewayPlan
    from lab.vpn_client import Connection
    from lab.world import ClientComputer, World


BY_DESIGN = (
    "A Point-to-Site client can only connect to resources in the VNet in which the virtual network "
    "gateway resides."
)
"""Of azure-docs about-point-to-site-vpn."""


async def other_vnet(
    client: ClientComputer, address: str, route: str, connection: Connection, world: World
) -> Finding | None:
    """Why packets to an address leave outside the tunnel, if it is in the VNet of another gateway;
    None: it is in no other. `route`: the client's route to it, as its kernel has it."""
    plans = {plan.name: plan for plan in world.plan.gateways}
    own = plans[client.gateway.name].placement.virtualNetwork.name
    others = [plan for plan in plans.values() if _has(plan, address) and _vnet(plan) != own]
    if not others or _has(plans[client.gateway.name], address):
        return None
    other, there = others[0], _vnet(others[0])
    names = [name for name, known in world.addresses.items() if known == address]
    dialled = client.last_dial
    at = stamp(dialled.at) if dialled else ""
    remedy = f"dial {other.name}; the tunnel to {client.gateway.name} then ends"
    if not await _serves_clients(other.name, world):
        key = "vpnClientConfiguration"
        remedy = f"{other.name} has no {key}: give it one and dial it, or use a host of {own}"
    between = crossing(world.plan, client.gateway.name, other.name)
    alone = f" The connection {between} carries packets of the VNets' own hosts alone."
    return failure(
        "route",
        f"{names[0] if names else address} is in the VNet {there} of {other.name}, and "
        f"{client.name} is connected to the VNet {own} by {client.gateway.name}: a client is "
        f"connected to one VNet at a time. That is by design: '{BY_DESIGN}'"
        f"{alone if between else ''}",
        f"ip route get {address}: {route}",
        f"the tunnel: {connection.address} on {connection.interface}, to {client.gateway.name}, "
        f"dialled at {at}",
        remedy=remedy,
    )


async def _serves_clients(gateway: str, world: World) -> bool:
    """Whether it can be dialled; of one that is away at the moment, whether it could."""
    if await absent(gateway, world):
        plan = next(one for one in world.plan.gateways if one.name == gateway)
        return plan.resource.properties.vpnClientConfiguration is not None
    return bool((await world.gateways[gateway].get())["properties"].get("vpnClientConfiguration"))


def _vnet(plan: GatewayPlan) -> str:
    return plan.placement.virtualNetwork.name


def _has(plan: GatewayPlan, address: str) -> bool:
    prefixes = plan.placement.virtualNetwork.addressPrefixes
    return any(ip_address(address) in ip_network(str(prefix)) for prefix in prefixes)
