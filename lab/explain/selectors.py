"""What the two ends of a site's tunnel are told of each other: addresses, prefixes, selectors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.explain import bgp
from lab.explain.bgp import BgpSeen
from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nodes.base import Node
    from lab.world import World


@dataclass(frozen=True)
class Ends:
    """Both ends of a site's connection, as they are set up and as they are."""

    site: str
    gateway: str
    prefixes: tuple[str, ...]
    """addressPrefixes of the local network gateway."""
    peer: str
    """Its gatewayIpAddress."""
    device_addresses: tuple[str, ...]
    """Of the site's device, on the Internet's side, as its kernel has them."""
    gateway_addresses: tuple[str, ...]
    device_peers: tuple[str, ...]
    """The gateway's address, as the device is told."""
    local: tuple[str, ...]
    """The device's selectors on its own side."""
    remote: tuple[str, ...]
    agreed: tuple[str, ...]
    """The selectors of the tunnel that stands: `SITE === AZURE`."""
    bgp: BgpSeen | None = None

    @property
    def selectors(self) -> str:
        """The device's own, as `SITE === AZURE`."""
        return f"{', '.join(self.local)} === {', '.join(self.remote)}"

    @property
    def behind(self) -> tuple[str, ...]:
        """What the gateway takes to be behind the site: these prefixes, and those of BGP."""
        return (*self.prefixes, *(self.bgp.learnt if self.bgp else ()))


async def ends_of(site: str, document: dict[str, Any], world: World) -> Ends | None:
    """What is set up; None: the gateway or the device does not tell."""
    gateway = world.plan.connected_sites[site].name
    try:
        reference = document["properties"]["localNetworkGateway2"]["id"]
        local = await world.gateways[gateway].local_network_gateway(reference.rpartition("/")[2])
        device = await world.devices[site].configuration()
        learns = await bgp.look(site, world.gateways[gateway], document, local, world)
    except (OSError, LabError):
        return None
    told = local["properties"]
    return Ends(
        site,
        gateway,
        tuple(told["localNetworkAddressSpace"]["addressPrefixes"]),
        told["gatewayIpAddress"],
        await _addresses(world.nodes[site]),
        await _addresses(world.nodes[gateway]),
        tuple(device["peers"]),
        tuple(device["local"]),
        tuple(device["remote"]),
        tuple(device["agreed"]),
        learns,
    )


async def _addresses(node: Node) -> tuple[str, ...]:
    """Those on the Internet's side."""
    done = await node.run(["ip", "-json", "-4", "address", "show", "dev", "wan"])
    rows = json.loads(done.stdout or "[]")
    return tuple(one["local"] for row in rows for one in row.get("addr_info", ()))


def wrong_peer(ends: Ends) -> Finding | None:
    """An end looks for the other at an address that is not the other's."""
    own = ", ".join(ends.device_addresses)
    if ends.device_addresses and ends.peer not in ends.device_addresses:
        cause = (
            f"gatewayIpAddress of the local network gateway {ends.site} is {ends.peer}, and its "
            f"device has {own}"
        )
        return failure(
            "s2s",
            cause,
            f"the local network gateway's document: gatewayIpAddress {ends.peer}",
            f"{ends.site}: ip address show dev wan: {own}",
            remedy=f"set gatewayIpAddress to {own}",
        )
    right = ", ".join(ends.gateway_addresses)
    if ends.gateway_addresses and not set(ends.device_peers) & set(ends.gateway_addresses):
        peer = ", ".join(ends.device_peers)
        cause = (
            f"the device of {ends.site} is set up for the peer {peer}, and the gateway "
            f"{ends.gateway} has {right}"
        )
        return failure(
            "s2s",
            cause,
            f"the device's connection (its list-conns): peer {peer}",
            f"{ends.gateway}: ip address show dev wan: {right}",
            remedy=f"set the device's peer to {right}",
        )
    return None


def outside(ends: Ends, near: str, far: str) -> Finding | None:
    """Why a tunnel that stands does not carry packets between an address of Azure's side and one of
    the site's; None: it does."""
    told = ", ".join(ends.prefixes)
    document = f"the local network gateway's document: addressPrefixes {told}"
    if not _covers(ends.behind, far):
        if ends.bgp:
            return bgp.not_learnt(ends.bgp, far)
        cause = (
            f"{far} is not in addressPrefixes of the local network gateway {ends.site} ({told}), "
            "so Azure has no route to it"
        )
        remedy = f"add {far}'s prefix to addressPrefixes of the local network gateway"
        return failure("route", cause, document, remedy=remedy)
    pairs = [one.partition(" === ")[::2] for one in ends.agreed]
    if not pairs or any(_covers([a], far) and _covers([b], near) for a, b in pairs):
        return None
    cause = (
        f"the tunnel of {ends.site} stands, and its traffic selectors do not have {far} and "
        f"{near}: both ends agreed on {', '.join(ends.agreed)}"
    )
    remedy = "let the device's selectors have both prefixes, then set the tunnel up anew"
    return failure("s2s", cause, *selectors(ends), document, remedy=remedy)


def carries(ends: Ends, far: str) -> bool:
    """Whether the tunnel's selectors have an address on Azure's side."""
    return any(_covers([one.partition(" === ")[2]], far) for one in ends.agreed)


def selectors(ends: Ends) -> Sequence[str]:
    """Both ends' selectors, side by side."""
    return (
        f"the device's selectors (its list-conns): {ends.selectors}",
        f"the gateway asks for the site's side {', '.join(ends.behind)}",
    )


def _covers(prefixes: Sequence[str], address: str) -> bool:
    return any(ip_address(address) in ip_network(prefix) for prefix in prefixes)
