"""Build a plan's world: namespaces, cables, addresses, routes, firewalls and names; no services."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lab.errors import LabError
from lab.kernel import requests, sysctls
from lab.kernel.requests import LOOPBACK, Port, Request
from lab.nodes.namespace import NamespaceNode, Network
from lab.topology.plan import End, Link, NodePlan, Plan
from lab.waiting import wait_until

NODES = Path("/run/lab/nodes")
"""In the lab's private tmpfs."""
FIRST_INDEX = 100
"""Of the lab's links; below are lo and what some kernels put into every new namespace."""
SETTLING = 10.0
"""Seconds within which all links must carry."""
LOCALHOST = "127.0.0.1 localhost\n::1 localhost\n"


class _Computer:
    """A node's links and settings as they come together from the plan."""

    def __init__(self, plan: NodePlan, node: NamespaceNode) -> None:
        self.plan = plan
        self.node = node
        self.indexes = count(FIRST_INDEX)
        self.switches = {bridge.name: next(self.indexes) for bridge in plan.bridges}
        self.births = [requests.bridge(name, index) for name, index in self.switches.items()]
        self.settings = [requests.up(LOOPBACK)]
        self.settings += [requests.address(LOOPBACK, cidr) for cidr in plan.loopback]
        for bridge in plan.bridges:
            self._addresses(self.switches[bridge.name], bridge.addresses)
        self.ports: list[Port] = []

    def port(self, end: End) -> Port:
        """A new end of a cable, by the name and in the switch that the plan says."""
        master = self.switches[end.bridge] if end.bridge else 0
        return Port(end.interface, next(self.indexes), master)

    def connect(self, port: Port, end: End, *, far: bool) -> None:
        """The settings of an end that was born; the far one is still down and in no switch."""
        self.ports.append(port)
        if far and port.master:
            self.settings.append(requests.plug(port.index, port.master))
        self._addresses(port.index, end.addresses)
        self.settings.append(requests.up(port.index))

    def _addresses(self, index: int, addresses: Sequence[str]) -> None:
        self.settings += [requests.address(index, cidr) for cidr in addresses]

    def configure(self) -> Future[None]:
        """Hand the node its network: routes last, when their next hops can be reached."""
        routes = [requests.route(route.destination, route.via) for route in self.plan.routes]
        self.node.network = Network(
            sysctls=self.node.network.sysctls,
            links=(*(port.index for port in self.ports), *self.switches.values()),
            settings=(*self.settings, *routes),
            firewall=self.plan.nftables,
        )
        return self.node.configure()

    def carries(self) -> bool:
        """Whether every plugged link works. Asking makes a recent kernel see to it at once;
        ports before their switches, which work when one of their ports does."""
        used = [
            *(port.index for port in self.ports),
            *{port.master for port in self.ports if port.master},
        ]
        answers = self.node.netlink.ask([requests.show(index) for index in used])
        return all(requests.is_running(answer) for answer in answers)


async def build_world(
    plan: Plan, log_directory: Path, directory: Path = NODES
) -> dict[str, NamespaceNode]:
    """Every node with its network, by name; every link carries when this returns.

    KernelError names the request that the kernel refused.
    """
    computers = await asyncio.to_thread(_build, plan, log_directory, directory)
    waiting = list(computers.values())

    def carries() -> bool:
        waiting[:] = [computer for computer in waiting if not computer.carries()]
        return not waiting

    await wait_until(f"the links of {plan.name} carry", SETTLING, carries)
    return {name: computer.node for name, computer in computers.items()}


def _build(plan: Plan, log_directory: Path, directory: Path) -> dict[str, _Computer]:
    nodes = {node.name: _open(node, log_directory, directory) for node in plan.nodes}
    computers = {node.name: _Computer(node, nodes[node.name]) for node in plan.nodes}
    births: dict[str, list[Request]] = {name: [] for name in computers}
    for node in nodes.values():
        node.opened.result()
    for link in plan.links:
        name, request = _cable(link, computers)
        births[name].append(request)
    for name, computer in computers.items():
        with _naming(name):
            computer.node.netlink.apply([*computer.births, *births[name]])
    configured = {name: computer.configure() for name, computer in computers.items()}
    for name, future in configured.items():
        with _naming(name):
            future.result()
    return computers


@contextmanager
def _naming(node: str) -> Iterator[None]:
    """What is refused is refused in a node."""
    try:
        yield
    except (OSError, LabError) as error:
        error.add_note(f"in node {node}")
        raise


def _open(plan: NodePlan, log_directory: Path, directory: Path) -> NamespaceNode:
    names = "".join(f"{address} {' '.join(names)}\n" for address, names in plan.hosts)
    servers = "".join(f"nameserver {address}\n" for address in plan.nameservers)
    return NamespaceNode(
        plan.name,
        directory / plan.name,
        log_directory,
        etc={"hosts": f"{LOCALHOST}127.0.1.1 {plan.name}\n{names}", "resolv.conf": servers},
        network=Network(sysctls.ROUTER if plan.forwarding else sysctls.COMPUTER),
    )


def _cable(link: Link, computers: Mapping[str, _Computer]) -> tuple[str, Request]:
    """The request that makes both ends, and the node whose it is: one that has a switch for it."""
    near, far = (link.b, link.a) if link.b.bridge and not link.a.bridge else (link.a, link.b)
    here, there = computers[near.node], computers[far.node]
    near_port, far_port = here.port(near), there.port(far)
    here.connect(near_port, near, far=False)
    there.connect(far_port, far, far=True)
    return near.node, requests.veth(near_port, far_port, there.node.namespace, link.mtu)
