"""The networks to build, as plans, so that every method of building gets the same one."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from lab.topology.load import load
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan

QUICKSTART = Path(__file__).parents[2] / "topologies" / "quickstart.yaml"


def star(size: int) -> Plan:
    """`size` nodes on one switch, 10.0.0.0/16."""
    hub = NodePlan("switch", "internet", bridges=(Bridge("lan", ("10.0.0.1/16",)),))
    leaves = [NodePlan(f"n{number}", "host") for number in range(size)]
    links = [
        Cable(
            End("switch", f"p{number}", bridge="lan"),
            End(leaf.name, "eth0", (f"{IPv4Address('10.0.1.0') + number + 1}/16",)),
        )
        for number, leaf in enumerate(leaves)
    ]
    return _world(f"star{size}", (hub, *leaves), tuple(links))


def _world(name: str, nodes: tuple[NodePlan, ...], links: tuple[Cable, ...]) -> Plan:
    return Plan(name, "", nodes, links, (), (), (), ())


def quickstart() -> Plan:
    """The quickstart topology without its services, clients and certificates."""
    plan = load(QUICKSTART).plan()
    return _world("quickstart", plan.nodes, plan.links)


WORLDS = {"quickstart": quickstart, "star50": lambda: star(50), "star200": lambda: star(200)}


def first_ping(plan: Plan) -> tuple[str, str]:
    """Who pings and which address: from the last node to the router of its own segment."""
    last = plan.links[-1]
    router = next(node for node in plan.nodes if node.name == last.a.node)
    bridge = next(bridge for bridge in router.bridges if bridge.name == last.a.bridge)
    return last.b.node, bridge.addresses[0].partition("/")[0]
