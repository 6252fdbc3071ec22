"""Build a plan's world: namespaces, cables, addresses, routes, firewalls and names; no services."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lab.errors import LabError
from lab.kernel import requests, sysctls
from lab.kernel.requests import LOOPBACK, Port, Request
from lab.nodes.namespace import NamespaceNode, Network
from lab.topology.planning.neighbours import Interface, Neighbours, mac, neighbours
from lab.topology.planning.plan import Cable, End, NodePlan, Plan
from lab.waiting import wait_until

NODES = Path("/run/lab/nodes")
"""In the lab's private tmpfs."""
FIRST_INDEX = 100
"""Of the lab's links; below are lo and what some kernels put into every new namespace. No two
links of a lab have the same: the kernel takes a veth whose peer has its own index for a lone
device, whose carrier may wait a second for its turn (net/core/link_watch.c)."""
SETTLING = 10.0
"""Seconds within which all links must carry."""
ADMINISTERING = ("gateway", "directory", "radius")
"""Kinds of nodes whose programs need SYS_ADMIN: the gateway gives its workers empty namespaces,
Samba keeps access lists in security attributes of files. User-mode Linux needs it as well."""
LOCALHOST = "127.0.0.1 localhost\n::1 localhost\n"


class _Computer:
    """A node as it comes together from the plan: what is asked of the kernel, and its network."""

    def __init__(self, plan: NodePlan, indexes: Iterator[int], known: Neighbours) -> None:
        self.plan = plan
        self._known = known
        kind = sysctls.ROUTER if plan.forwarding else sysctls.COMPUTER
        self.network = Network.make(kind, plan.nftables)
        self._indexes = indexes
        self._switches = {bridge.name: next(self._indexes) for bridge in plan.bridges}
        self._ends: list[tuple[End, Port]] = []
        self._late: list[int] = []
        """What is up before the other end of its cable: it does not carry at once."""
        self._unplugged: list[Port] = []
        self.births = [
            requests.bridge(name, index, mac(Interface(plan.name, name)))
            for name, index in self._switches.items()
        ]

    def connect(self, end: End, *, near: bool) -> Port:
        """A new end of a cable. The near one is born up and in its switch, the far one not."""
        switch = self._switches[end.bridge] if end.bridge else 0
        # A switch's port has nobody's address: behind it may be a computer that has.
        own = "" if switch else mac(Interface(end.node, end.interface))
        port = Port(end.interface, next(self._indexes), switch, own)
        self._ends.append((end, port))
        if near:
            self._late.append(port.index)
        elif port.master:
            self._unplugged.append(port)
        return port

    def configure(self) -> None:
        """Set up what was born; routes last, when their next hops can be reached."""
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
            *(requests.route(route.destination, route.via) for route in self.plan.routes),
            *requests.LOCAL_NEIGHBOURS,
            *self._neighbours(),
        )
        self.network.configure()

    def _neighbours(self) -> Iterator[Request]:
        indexes = self._switches | {port.name: port.index for _, port in self._ends}
        for name, index in indexes.items():
            for other in self._known.get(Interface(self.plan.name, name), ()):
                yield requests.neighbour(index, other.address, other.mac)

    def carries(self) -> bool:
        """Whether every plugged link works. Asking makes a recent kernel see to it at once;
        ports before their switches, which work when one of their ports does."""
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
    """Every node with its network, by name; every link carries when this returns.

    In the nodes of `kernels` a kernel will run that is a program there. `known`: who knows whom,
    where that is not to be seen in this plan.
    KernelError names the request that the kernel refused.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="build") as thread:  # it ends in a namespace
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
            directory / name,
            log_directory,
            _files(computer.plan),
            administers=computer.plan.kind in ADMINISTERING or name in kernels,
        )
        for name, computer in computers.items()
    }


def _build(plan: Plan, known: Neighbours) -> dict[str, _Computer]:
    """All links first, then what is on them. One thread, going from namespace to namespace: with
    more, the kernel's locks and the interpreter's take all that is won."""
    computers = {}
    indexes = count(FIRST_INDEX)
    for node in plan.nodes:
        with _naming(node.name):
            computers[node.name] = _Computer(node, indexes, known)
    for link in plan.links:
        name, request = _cable(link, computers)
        computers[name].births.append(request)
    for name, computer in computers.items():
        with _naming(name):
            computer.network.netlink.apply(computer.births)
    for name, computer in computers.items():
        with _naming(name):
            computer.configure()
    return computers


@contextmanager
def _naming(node: str) -> Iterator[None]:
    """What is refused is refused in a node."""
    try:
        yield
    except (OSError, LabError) as error:
        error.add_note(f"in node {node}")
        raise


def _files(plan: NodePlan) -> dict[str, str]:
    names = "".join(f"{address} {' '.join(names)}\n" for address, names in plan.hosts)
    servers = "".join(f"nameserver {address}\n" for address in plan.nameservers)
    return {"hosts": f"{LOCALHOST}127.0.1.1 {plan.name}\n{names}", "resolv.conf": servers}


def _cable(link: Cable, computers: Mapping[str, _Computer]) -> tuple[str, Request]:
    """The request that makes both ends, and the node whose it is: one that has a switch for it."""
    near, far = (link.b, link.a) if link.b.bridge and not link.a.bridge else (link.a, link.b)
    here, there = computers[near.node], computers[far.node]
    near_port, far_port = here.connect(near, near=True), there.connect(far, near=False)
    return near.node, requests.veth(near_port, far_port, there.network.namespace, link.mtu)
