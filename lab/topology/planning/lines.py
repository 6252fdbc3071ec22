"""The rates of access networks and gateways, and what they need of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.topology.model.steps import Throughput
from lab.topology.planning.plan import Line

if TYPE_CHECKING:
    from lab.topology.model.topology import Access, Gateway, Topology
    from lab.topology.planning.plan import Shaper

WAN, LAN = "wan", "lan"
"""An access router's way to the Internet, and to its computers."""


def lines_of(access: Access) -> tuple[Line, ...]:
    """How an access router sends, each way the same."""
    if access.rate is None and access.latency is None:
        return ()
    return tuple(Line(name, access.rate, access.latency) for name in (WAN, LAN))


def shapers_of(access: Access) -> tuple[Shaper, ...]:
    """What this needs of the kernel."""
    wanted: dict[Shaper, object] = {"tbf": access.rate, "netem": access.latency}
    return tuple(shaper for shaper, value in wanted.items() if value is not None)


def aggregate_of(topology: Topology, gateway: Gateway) -> tuple[Shaper, ...]:
    """The limit of a gateway's throughput, if the topology relies on it: on other kernels gateways
    serve without."""
    measured = any(isinstance(step, Throughput) for step in topology.expect)
    return ("aggregate",) if measured or gateway.benchmarkScale < 1 else ()
