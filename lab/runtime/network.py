"""Build a plan's network: namespaces, links, addresses, routes, firewalls, names; no services."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lab.errors import LabError
from lab.kernel import requests, sysctls, tc
from lab.kernel.requests import LOOPBACK, Port, Request
from lab.nodes.namespace import NamespaceNode, Network
from lab.topology.planning.neighbours import Interface, Neighbours, mac, neighbours
from lab.topology.planning.plan import Cable, End, NodePlan, Plan
from lab.waiting import wait_until

NODES = Path("/run/lab/nodes")
"""The nodes' directories, in the lab's private tmpfs."""
FIRST_INDEX = 100
"""The first interface index of the lab's links; lower ones belong to lo and to devices that some
kernels create in every new namespace. Indexes are unique in a lab: if a veth has the same index as
its peer, the kernel treats it as a device without a peer, whose carrier may be delayed by a second
(net/core/link_watch.c)."""
FIRST_TABLE = 100
"""The number of the first routing table besides the kernel's own, and the priority of its rule."""
KINDS = {
    "via": requests.UNICAST,
    "blackhole": requests.BLACKHOLE,
    "throw": requests.THROW,
}
SETTLING = 10.0
"""Seconds within which all links must have carrier."""
ADMINISTERING = ("gateway", "directory", "radius")
"""Kinds of nodes whose programs need SYS_ADMIN: the gateway creates empty namespaces for its
workers, Samba stores access lists in security attributes of files. User-mode Linux needs it too."""
LOCALHOST = "127.0.0.1 localhost\n::1 localhost\n"


class _Computer:
    """A node under construction: its requests to the kernel, and its network."""

    def __init__(self, plan: NodePlan, indexes: Iterator[int], known: Neighbours) -> None:
        self.plan = plan
        self._known = known
        kind = sysctls.ROUTER if plan.forwarding else sysctls.COMPUTER
        self.network = Network.make(kind | dict(plan.sysctls), plan.nftables)
        self._indexes = indexes
        self._switches = {bridge.name: next(self._indexes) for bridge in plan.bridges}
        self._ends: list[tuple[End, Port]] = []
        self._late: list[int] = []
        """Links that are up before their peers: they do not have carrier at once."""
        self._unplugged: list[Port] = []
        self.creations = [
            requests.bridge(name, index, mac(Interface(plan.name, name)))
            for name, index in self._switches.items()
        ]

    def connect(self, end: End, *, near: bool) -> Port:
        """Add an end of a cable. The near end is created up and in its bridge, the far end not."""
        switch = self._switches[end.bridge] if end.bridge else 0
        # A bridge port needs no fixed MAC address: no neighbour entry refers to it.
        own = "" if switch else mac(Interface(end.node, end.interface))
        port = Port(end.interface, next(self._indexes), switch, own)
        self._ends.append((end, port))
        if near:
            self._late.append(port.index)
        elif port.master:
            self._unplugged.append(port)
        return port

    def configure(self) -> None:
        """Configure the created links; routes last, when their next hops are reachable."""
        addressed = [
            (LOOPBACK, self.plan.loopback),
            *((self._switches[bridge.name], bridge.addresses) for bridge in self.plan.bridges),
            *((port.index, end.addresses) for end, port in self._ends),
        ]
        self.network.links = (*(port.index for _, port in self._ends), *self._switches.values())
        self.network.settings = (
            *(requests.plug(port.index, port.master) for port in self._unplugged),
            *(requests.address(index, cidr) for index, cidrs in addressed for cidr in cidrs),
            *(requests.up(index) for index, _ in addressed),
            *(
                requests.route(route.destination, route.via, route.metric)
                for route in self.plan.routes
            ),
            *self._tables(),
            *requests.LOCAL_NEIGHBOURS,
            *self._neighbours(),
            *self._lines(),
        )
        self.network.configure()

    def _tables(self) -> Iterator[Request]:
        for number, table in enumerate(self.plan.route_tables, FIRST_TABLE):
            for route in table.routes:
                yield requests.table_route(number, route.destination, KINDS[route.kind], route.via)
            for family in {requests.family_of(route.destination) for route in table.routes}:
                yield requests.rule(table.interface, number, number, family=family)

    @property
    def _names(self) -> Mapping[str, int]:
        return self._switches | {port.name: port.index for _, port in self._ends}

    def _lines(self) -> Iterator[Request]:
        for line in self.plan.lines:
            yield from tc.line(self._names[line.interface], line.mbps, line.latency)

    def _neighbours(self) -> Iterator[Request]:
        for name, index in self._names.items():
            for other in self._known.get(Interface(self.plan.name, name), ()):
                yield requests.neighbour(index, other.address, other.mac)

    def carries(self) -> bool:
        """Whether every link has carrier. The request makes a recent kernel process carrier
        changes at once. Ports come before their bridges: a bridge has carrier if a port does."""
        used = [*self._late, *{port.master for _, port in self._ends if port.master}]
        answers = self.network.netlink.ask([requests.show(index) for index in used])
        return all(requests.is_running(answer) for answer in answers)


async def build_network(
    plan: Plan,
    log_directory: Path,
    directory: Path = NODES,
    *,
    kernels: Collection[str] = (),
    known: Neighbours | None = None,
) -> dict[str, NamespaceNode]:
    """Every node with its network, by name; every link has carrier when this returns.

    The nodes of `kernels` will run user-mode Linux. `known`: the static neighbours, if this plan
    does not show them all. KernelError names the request that the kernel refused.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(
        1, thread_name_prefix="build"
    ) as thread:  # the thread ends in another namespace
        wires = neighbours(plan) if known is None else known
        computers = await loop.run_in_executor(thread, _build, plan, wires)
    waiting = list(computers.values())

    def carries() -> bool:
        waiting[:] = [computer for computer in waiting if not computer.carries()]
        return not waiting

    await wait_until(f"the links of {plan.name} carry", SETTLING, carries)
    return {
        name: NamespaceNode(
            name,
            computer.network,
            directory / computer.plan.host_name,
            log_directory,
            _files(computer.plan),
            host_name=computer.plan.host_name,
            administers=computer.plan.kind in ADMINISTERING or name in kernels,
        )
        for name, computer in computers.items()
    }


def _build(plan: Plan, known: Neighbours) -> dict[str, _Computer]:
    """Create all links first, then configure them. One thread moves from namespace to namespace:
    with more threads, the locks of kernel and interpreter cost all that would be gained."""
    computers = {}
    indexes = count(FIRST_INDEX)
    for node in plan.nodes:
        with _naming(node.name):
            computers[node.name] = _Computer(node, indexes, known)
    for link in plan.links:
        name, request = _cable(link, computers)
        computers[name].creations.append(request)
    for name, computer in computers.items():
        with _naming(name):
            computer.network.netlink.apply(computer.creations)
    for name, computer in computers.items():
        with _naming(name):
            computer.configure()
    return computers


@contextmanager
def _naming(node: str) -> Iterator[None]:
    """Add the node's name to errors."""
    try:
        yield
    except (OSError, LabError) as error:
        error.add_note(f"in node {node}")
        raise


def _files(plan: NodePlan) -> dict[str, str]:
    names = "".join(f"{address} {' '.join(names)}\n" for address, names in plan.hosts)
    servers = "".join(f"nameserver {address}\n" for address in plan.nameservers)
    return {"hosts": f"{LOCALHOST}127.0.1.1 {plan.host_name}\n{names}", "resolv.conf": servers}


def _cable(link: Cable, computers: Mapping[str, _Computer]) -> tuple[str, Request]:
    """The request that creates both ends, and the node that makes it: one with a bridge if any."""
    near, far = (link.b, link.a) if link.b.bridge and not link.a.bridge else (link.a, link.b)
    here, there = computers[near.node], computers[far.node]
    near_port, far_port = here.connect(near, near=True), there.connect(far, near=False)
    return near.node, requests.veth(near_port, far_port, there.network.namespace, link.mtu)
