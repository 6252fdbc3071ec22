"""What a program in a node can do to the machine: the table of docs/lab-security.md, tried out."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from lab.boot.users import is_machines_root
from lab.kernel import capabilities
from lab.nodes.namespace import NamespaceNode
from lab.pki import stock
from lab.runtime.world import build_world
from lab.topology.plan import Bridge, End, Link, NodePlan, Plan
from tests.labs.isolated import isolated

SOURCE = Path(__file__).parents[3]
PLAN = Plan(
    "isolation", "",
    nodes=(NodePlan("gw", "gateway", bridges=(Bridge("lan", ("10.0.0.1/24",)),)),
           NodePlan("pc", "client")),
    links=(Link(End("gw", "p0", bridge="lan"), End("pc", "eth0", ("10.0.0.2/24",))),),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip
INTRUDER = [sys.executable, "-m", "tests.labs.intruder"]
WITH_MOUNTS = {
    False: {"mount"},
    True: {"mount", "mount the machine's devices"},
}
"""What the programs of nodes that may mount can do more: in a user's lab, in root's."""


async def got(node: NamespaceNode, other: NamespaceNode) -> dict[str, str]:
    """What an intruder in this node was not refused."""
    await other.spawn(["sleep", "1000"], log="sleep")
    done = await node.run([*INTRUDER, os.environ["P2SLAB_CACHE"], str(SOURCE)])
    assert done.code == 0, done.said
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 20
    return {name: what for name, what, _ in rows if what is not None}


def test_a_program_in_a_node_reaches_nothing_of_the_machine(tmp_path: Path) -> None:
    stock.fill(1)

    async def there() -> None:
        nodes = await build_world(PLAN, tmp_path)
        assert await got(nodes["pc"], nodes["gw"]) == {}

    isolated(there)


def test_where_programs_may_mount_it_reaches_what_the_documents_say(tmp_path: Path) -> None:
    stock.fill(1)
    root = is_machines_root()

    async def there() -> None:
        nodes = await build_world(PLAN, tmp_path)
        assert (await got(nodes["gw"], nodes["pc"])).keys() == WITH_MOUNTS[root]

    isolated(there)


def is_outside(path: str) -> bool:
    """Whether everybody else sees it."""
    return Path(path).exists()


@pytest.mark.parametrize("name", ["pc", "gw"])
def test_capabilities_of_the_machine_are_out_of_bounds(tmp_path: Path, name: str) -> None:
    async def there() -> None:
        nodes = await build_world(PLAN, tmp_path)
        status = (await nodes[name].run(["cat", "/proc/self/status"])).stdout
        found = re.findall(r"^Cap(Bnd|Eff|Prm):\t(\w+)$", status, re.MULTILINE)
        assert len(found) == 3
        for _, mask in found:
            assert not any(int(mask, 16) >> bit & 1 for bit in capabilities.OF_THE_MACHINE)
            assert int(mask, 16) >> capabilities.SYS_ADMIN & 1 == (name == "gw")

    isolated(there)


def test_what_one_node_writes_no_other_sees(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_world(PLAN, tmp_path)
        for place in ("/etc/ld.so.preload", "/var/lib/x", "/run/x", "/tmp/x", "/mnt/x", "/x"):
            made = await nodes["pc"].run(["sh", "-c", f": > {place}"])
            assert made.code == 0, made.said
            assert not is_outside(place)
            assert (await nodes["gw"].run(["test", "-e", place])).code == 1

    isolated(there)


def test_a_nodes_own_network_settings_can_be_written(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_world(PLAN, tmp_path)
        setting = "/proc/sys/net/ipv4/ip_forward"
        assert (await nodes["pc"].run(["sh", "-c", f"echo 1 > {setting}"])).code == 0
        assert (await nodes["pc"].read(setting)) == b"1\n"
        assert (await nodes["gw"].read(setting)) == b"0\n"

    isolated(there)
