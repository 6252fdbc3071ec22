"""User-defined routes: a table of its own for each subnet, at the VNet's router.

Source: azure-docs virtual-network/virtual-networks-udr-overview: the longest prefix decides, and of
equal ones the user's route. Azure's own routes have the VNet's prefixes as a whole, so a user's
route for one subnet of them comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.topology.planning.plan import RouteTable, TableRoute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.topology.model.route_tables import RouteProperties
    from lab.topology.model.topology import Vnet
    from lab.topology.model.values import IpAddress


def route_tables(
    vnet: Vnet, bridges: Sequence[str], system: Sequence[str], gateway: IpAddress | None
) -> Iterator[RouteTable]:
    """`bridges`: the interface of each subnet, in their order. `system`: the prefixes of Azure's
    own routes. `gateway`: the private address of the VNet's gateway, if it has one."""
    for subnet, bridge in zip(vnet.subnets, bridges, strict=True):
        table = vnet.routeTables.get(subnet)
        if table is None or not table.routes:
            continue
        own = {
            str(route.properties.addressPrefix): _hop(route.name, route.properties, gateway)
            for route in table.routes
        }
        azures = (TableRoute(prefix, "throw") for prefix in system if prefix not in own)
        yield RouteTable(subnet, bridge, (*own.values(), *azures))


def _hop(name: str, route: RouteProperties, gateway: IpAddress | None) -> TableRoute:
    to, kind = str(route.addressPrefix), route.nextHopType
    if kind == "None":
        return TableRoute(to, "blackhole", name=name)
    if kind == "VnetLocal":
        return TableRoute(to, "throw", name=name)
    via = route.nextHopIpAddress if kind == "VirtualAppliance" else gateway
    return TableRoute(to, "via", str(via), name=name)
