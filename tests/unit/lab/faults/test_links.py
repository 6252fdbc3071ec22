"""An access network's link to the Internet, in a lab's namespaces: unplugged, and plugged in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.faults.links import unplug
from lab.runtime.network import build_network
from lab.topology.planning.plan import Cable, End, NodePlan, Plan, Route
from lab.topology.planning.wiring import INTERNET
from tests.rigs.isolated import isolated

BEHIND, OTHER = "198.51.100.0/24", "203.0.113.0/24"
PLAN = Plan(
    "two", "",
    nodes=(
        NodePlan(INTERNET, "internet", forwarding=True,
                 routes=(Route(BEHIND, "192.0.2.2"), Route(OTHER, "192.0.2.6"))),
        NodePlan("home", "access", routes=(Route("default", "192.0.2.1"),)),
        NodePlan("hotel", "access", routes=(Route("default", "192.0.2.5"),)),
    ),
    links=(
        Cable(End(INTERNET, "home", ("192.0.2.1/30",)), End("home", "wan", ("192.0.2.2/30",))),
        Cable(End(INTERNET, "hotel", ("192.0.2.5/30",)), End("hotel", "wan", ("192.0.2.6/30",))),
    ),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip


def test_a_link_is_without_carrier_until_it_is_plugged_in_again(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        world: Any = SimpleNamespace(plan=PLAN, nodes=nodes)

        async def routes() -> list[str]:
            done = await nodes[INTERNET].run(["ip", "route"])
            return sorted(line.split()[0] for line in done.stdout.splitlines() if "via" in line)

        async def carrier(name: str) -> str:
            """Of a device that has none, as of one that is down: not `1`."""
            return (await nodes[name].run(["cat", "/sys/class/net/wan/carrier"])).stdout.strip()

        async def answers(name: str, address: str) -> bool:
            done = await nodes[name].run(["ping", "-n", "-c", "1", "-W", "1", address])
            return done.code == 0

        assert await routes() == [BEHIND, OTHER]
        plug_in = await unplug(world, "home")
        assert (await carrier("home"), await carrier("hotel")) == ("0", "1")
        assert await routes() == [OTHER], "the kernel forgets routes by a link that is down"
        assert not await answers("home", "192.0.2.5")
        assert await answers("hotel", "192.0.2.5")
        await plug_in()
        assert await carrier("home") == "1"
        assert await routes() == [BEHIND, OTHER]
        assert await answers("home", "192.0.2.5")

    isolated(there)
