"""Route tables: each has a subnet, its routes differ, and each next hop is there."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import did_you_mean
from lab.topology.model.route_tables import RouteProperties, RouteTable
from lab.topology.model.topology import GATEWAY_SUBNET, Topology, Vnet
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def tables_have_a_subnet(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The subnet exists; every route of its table can have an effect."""
    for name, vnet in topology.vnets.items():
        gateways = [own for own, spec in topology.gateways.items() if spec.vnet == name]
        for subnet, table in vnet.routeTables.items():
            path: Path = ("vnets", name, "routeTables", subnet)
            if subnet not in vnet.subnets and declared.whole("vnets", name, "subnets"):
                remedy = did_you_mean(subnet, list(vnet.subnets))
                message = f"{name!r} has no subnet {subnet!r}"
                yield Problem(path, message, remedy, at_key=True)
                continue
            yield from _routes_differ(path, table)
            for index, route in enumerate(table.routes):
                at: Path = (*path, "routes", index, "properties")
                if subnet in vnet.subnets:  # else they could not be read
                    yield from _has_an_effect(at, vnet, subnet, route.properties)
                yield from _next_hop(at, vnet, route.properties)
                wants = route.properties.nextHopType == "VirtualNetworkGateway"
                if wants and not gateways and declared.whole("gateways"):
                    yield Problem(
                        (*at, "nextHopType"), f"{name!r} has no gateway", "add one to `gateways`"
                    )


def _routes_differ(path: Path, table: RouteTable) -> Iterator[Problem]:
    names: set[str] = set()
    prefixes: dict[object, str] = {}
    for index, route in enumerate(table.routes):
        prefix = route.properties.addressPrefix
        if route.name.casefold() in names:
            yield Problem(
                (*path, "routes", index, "name"),
                f"{route.name!r} stands twice",
                "give each its own name",
            )
        if prefix in prefixes:
            yield Problem(
                (*path, "routes", index, "properties", "addressPrefix"),
                f"{prefixes[prefix]!r} is a route to {prefix} already",
                "leave one out",
            )
        names.add(route.name.casefold())
        prefixes[prefix] = route.name


def _has_an_effect(
    path: Path, vnet: Vnet, subnet: str, route: RouteProperties
) -> Iterator[Problem]:
    own, prefix = vnet.subnets[subnet], route.addressPrefix
    if prefix.version == own.version and prefix.subnet_of(own):  # type: ignore[arg-type]
        yield Problem(
            (*path, "addressPrefix"),
            f"{prefix} is in the subnet {subnet!r} itself, whose computers reach one another "
            "without a router in this lab",
            "use a prefix of another subnet",
        )
    if subnet == GATEWAY_SUBNET and not prefix.prefixlen:
        yield Problem(
            (*path, "addressPrefix"),
            f"a route to {prefix} on {GATEWAY_SUBNET} is not supported by Azure",
            "use the prefixes that are meant",
        )


def _next_hop(path: Path, vnet: Vnet, route: RouteProperties) -> Iterator[Problem]:
    appliance = route.nextHopType == "VirtualAppliance"
    at: Path = (*path, "nextHopIpAddress")
    if appliance and route.nextHopIpAddress is None:
        yield Problem(path, "VirtualAppliance needs an address", "add `nextHopIpAddress: ...`")
    elif not appliance and route.nextHopIpAddress is not None:
        yield Problem(at, f"{route.nextHopType} has no address", "leave `nextHopIpAddress` out")
    elif route.nextHopIpAddress and not any(
        route.nextHopIpAddress in prefix for prefix in vnet.subnets.values()
    ):
        yield Problem(
            at, f"{route.nextHopIpAddress} is in no subnet of the VNet", "use a computer's address"
        )


RULES = (tables_have_a_subnet,)
