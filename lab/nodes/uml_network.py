"""The network of a user-mode Linux node.

Outside, in the node's namespace, a bridge connects each cable's end with a tap; inside, the link
on that tap has the end's name and addresses. One more tap, with separate addresses, connects the
supervisor to the agent.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lab.errors import LabError
from lab.kernel import requests, sysctls, tc
from lab.kernel.requests import DEFAULT_MTU, Request
from lab.nodes.namespace import Network
from lab.topology.planning.neighbours import Interface, Neighbour, Neighbours, mac
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan

TUN = "/dev/net/tun"
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
"""linux/if_tun.h"""
AGENT_TAP = "agent"
SUPERVISOR, AGENT, MASK, PORT = "169.254.7.1", "169.254.7.2", "255.255.255.252", 7
"""Link-local addresses (RFC 3927): only supervisor and agent use this link."""
AGENT_MAC = mac(Interface(AGENT_TAP, AGENT))
NO_NEIGHBOURS: Neighbours = {}
DELAY = 0.002
"""Seconds of latency for the node's packets: sstpc 1.0.18 fails on links without latency."""


@dataclass(frozen=True)
class CableEnd:
    """An end of a cable in a user-mode Linux node."""

    end: End
    mtu: int
    number: int
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def switch(self) -> str:
        """The bridge in the node's namespace."""
        return f"switch{self.number}"

    @property
    def tap(self) -> str:
        """The tap in the node's namespace."""
        return f"tap{self.number}"

    @property
    def vector(self) -> str:
        """The initial name of the link inside."""
        return f"vec{self.number}"

    @property
    def mac(self) -> str:
        """The MAC address, the same at every boot: static neighbour entries have it."""
        return mac(Interface(self.end.node, self.end.interface))


def cables(plan: Plan, node: str, known: Neighbours = NO_NEIGHBOURS) -> tuple[CableEnd, ...]:
    """The plan's cable ends in this node."""
    ends = [(end, link.mtu) for link in plan.links for end in (link.a, link.b) if end.node == node]
    return tuple(
        CableEnd(end, mtu, number, known.get(Interface(node, end.interface), ()))
        for number, (end, mtu) in enumerate(ends)
    )


def outside(plan: Plan, names: Collection[str]) -> Plan:
    """The plan with these nodes as mere bridges, which is what to build outside."""
    nodes = tuple(_as_switch(plan, node) if node.name in names else node for node in plan.nodes)
    ends = {cable.end: cable for name in names for cable in cables(plan, name)}
    links = tuple(
        Cable(_plugged(link.a, ends), _plugged(link.b, ends), link.mtu) for link in plan.links
    )
    return replace(plan, nodes=nodes, links=links)


def _as_switch(plan: Plan, node: NodePlan) -> NodePlan:
    if node.bridges or node.nftables:
        raise LabError(f"{node.name}: user-mode Linux nodes have no nftables and no bridges")
    bridges = tuple(Bridge(cable.switch) for cable in cables(plan, node.name))
    return replace(node, bridges=bridges, loopback=(), routes=(), forwarding=False)


def _plugged(end: End, known: dict[End, CableEnd]) -> End:
    return replace(end, addresses=(), bridge=known[end].switch) if end in known else end


def lay_taps(network: Network, ends: Iterable[CableEnd]) -> None:
    """Create the taps; call it once, in a thread inside the namespace."""
    sysctls.write(sysctls.SWITCH)
    for cable in ends:
        tap = _tap(cable.tap)
        network.netlink.apply(
            [
                *([requests.size(tap, cable.mtu)] if cable.mtu != DEFAULT_MTU else []),
                requests.plug(tap, socket.if_nametoindex(cable.switch)),
                requests.up(tap),
            ]
        )
    agent = _tap(AGENT_TAP)
    network.netlink.apply(
        [
            requests.address(agent, f"{SUPERVISOR}/30"),
            requests.up(agent),
            requests.neighbour(agent, AGENT, AGENT_MAC),
        ]
    )


def _tap(name: str) -> int:
    """Create a persistent tap; its index."""
    descriptor = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        kind = struct.pack("=16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        fcntl.ioctl(descriptor, TUNSETIFF, kind)
        fcntl.ioctl(descriptor, TUNSETPERSIST, 1)
    finally:
        os.close(descriptor)
    return socket.if_nametoindex(name)


def inside(node: NodePlan, ends: Iterable[CableEnd]) -> list[list[str]]:
    """Requests to the node's own kernel for lab.guest.boot: [text, hex, link]."""
    return [[request.command, request.data.hex(), link] for request, link in _requests(node, ends)]


def _requests(node: NodePlan, ends: Iterable[CableEnd]) -> Iterator[tuple[Request, str]]:
    """Requests, each with the name of the link whose index it needs."""
    yield from ((requests.address(requests.LOOPBACK, cidr), "lo") for cidr in node.loopback)
    yield requests.up(requests.LOOPBACK), "lo"
    for cable in ends:
        name = cable.end.interface
        yield requests.rename(0, name), cable.vector
        if cable.mtu != DEFAULT_MTU:
            yield requests.size(0, cable.mtu), name
        yield from ((requests.address(0, cidr), name) for cidr in cable.end.addresses)
        yield requests.up(0), name
        yield tc.delay(0, DELAY), name
        for other in cable.neighbours:
            yield requests.neighbour(0, other.address, other.mac), name
    yield from (
        (requests.route(route.destination, route.via, route.metric), "") for route in node.routes
    )


def vectors(ends: Collection[CableEnd]) -> Iterator[str]:
    """The kernel's arguments for its links."""
    for cable in ends:
        yield f"{cable.vector}:{_tap_transport(cable.tap, cable.mac)}"
    yield f"vec{len(ends)}:{_tap_transport(AGENT_TAP, AGENT_MAC)}"


def _tap_transport(tap: str, address: str) -> str:
    return f"transport=tap,ifname={tap},depth=128,gro=1,mac={address}"


def agent_line(ends: Collection[CableEnd]) -> dict[str, Any]:
    """The agent's link, for lab.guest.boot."""
    return {
        "link": f"vec{len(ends)}",
        "address": AGENT,
        "mask": MASK,
        "supervisor": SUPERVISOR,
        "port": PORT,
    }
