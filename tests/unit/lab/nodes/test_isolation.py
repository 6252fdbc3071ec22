"""What a program in a node can do to the machine: tests of the table in docs/lab-security.md."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from lab.boot.users import is_machines_root
from lab.kernel import capabilities
from lab.nodes.base import Node
from lab.observe.capture import capture
from lab.pki import stock
from lab.runtime.kernels import boot, build_nodes
from lab.runtime.network import build_network
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan
from tests.rigs import uml_lab
from tests.rigs.isolated import isolated

SOURCE = Path(__file__).parents[4]
PLAN = Plan(
    "isolation", "",
    nodes=(NodePlan("gw", "gateway", bridges=(Bridge("lan", ("10.0.0.1/24",)),)),
           NodePlan("pc", "client")),
    links=(Cable(End("gw", "p0", bridge="lan"), End("pc", "eth0", ("10.0.0.2/24",))),),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip
INTRUDER = [sys.executable, "-m", "tests.rigs.intruder"]
DOCUMENT = SOURCE / "docs" / "lab-security.md"
ROOT, ROOT_ADMINISTERING, USER, USER_ADMINISTERING, OWN_KERNEL = range(1, 6)
"""Columns of its table."""
REFUSED = "no"


def documented(column: int) -> dict[str, bool]:
    """Whether each attempt succeeds, as the document has it."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {row[0]: row[column] != REFUSED for row in cells}


async def tried(node: Node, other: Node) -> dict[str, bool]:
    """Whether each attempt of an intruder in this node succeeded."""
    await other.spawn(["sleep", "1000"], log="sleep")
    done = await node.run([*INTRUDER, os.environ["P2SLAB_CACHE"], str(SOURCE)])
    assert done.code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: got is not None for name, got, _ in rows}


@pytest.mark.parametrize("name", ["pc", "gw"])
def test_a_program_in_a_node_reaches_what_the_document_says(tmp_path: Path, name: str) -> None:
    stock.fill(1)
    columns = {"pc": (USER, ROOT), "gw": (USER_ADMINISTERING, ROOT_ADMINISTERING)}
    expected = documented(columns[name][is_machines_root()])

    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        assert await tried(nodes[name], nodes["gw" if name == "pc" else "pc"]) == expected

    isolated(there)


def test_a_program_on_a_kernel_of_its_own_reaches_what_the_document_says(tmp_path: Path) -> None:
    stock.fill(1)

    async def there() -> None:
        nodes = await build_nodes(uml_lab.PLAN, ("pc",), tmp_path)
        await boot(nodes.values())
        assert await tried(nodes["pc"], nodes["router"]) == documented(OWN_KERNEL)

    isolated(there)


def test_the_document_names_the_capabilities_that_are_out_of_bounds() -> None:
    text = DOCUMENT.read_text()
    assert all(f" {name}" in text for name in capabilities.OF_THE_MACHINE.values())


def is_outside(path: str) -> bool:
    """Whether other processes see it."""
    return Path(path).exists()


@pytest.mark.parametrize("name", ["pc", "gw"])
def test_capabilities_of_the_machine_are_out_of_bounds(tmp_path: Path, name: str) -> None:
    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        status = (await nodes[name].run(["cat", "/proc/self/status"])).stdout
        found = re.findall(r"^Cap(Bnd|Eff|Prm):\t(\w+)$", status, re.MULTILINE)
        assert len(found) == 3
        for _, mask in found:
            assert not any(int(mask, 16) >> bit & 1 for bit in capabilities.OF_THE_MACHINE)
            assert int(mask, 16) >> capabilities.SYS_ADMIN & 1 == (name == "gw")

    isolated(there)


def test_what_one_node_writes_no_other_sees(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        new = f"x-{os.getpid()}"
        places = (f"{parent}/{new}" for parent in ("/var/lib", "/run", "/tmp", "/mnt", ""))
        for place in ("/etc/ld.so.preload", *places):
            made = await nodes["pc"].run(["sh", "-c", f": > {place}"])
            assert made.code == 0, made.output
            assert not is_outside(place)
            assert (await nodes["gw"].run(["test", "-e", place])).code == 1

    isolated(there)


@pytest.mark.parametrize("link", ["file", "directory"])
def test_the_supervisor_goes_through_no_link_that_a_node_has_made(
    tmp_path: Path, link: str
) -> None:
    """It writes captures below the node's /run, and talks to sockets there."""
    place = tmp_path / "place"
    place.mkdir()
    made = {
        "file": f"ln -s {place}/x /run/x",
        "directory": f"mv /run /else && ln -s {place} /run",
    }

    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        pc = nodes["pc"]
        listener = await asyncio.to_thread(listen, place / "socket")
        with listener:
            for word in (made[link], "ls /bin/sh /dev/stdin"):  # its own links work
                assert (await pc.run(["sh", "-c", word])).code == 0
            with pytest.raises(OSError, match="Too many levels"):
                async with capture(pc, pc.run_directory / "x"):
                    pass
            with pytest.raises(OSError, match=r"Too many levels|No such file"):
                await pc.connect("/run/socket")

    isolated(there)
    assert sorted(path.name for path in place.iterdir()) == ["socket"]


def listen(path: Path) -> socket.socket:
    """Another process's socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_a_nodes_own_network_settings_can_be_written(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        setting = "/proc/sys/net/ipv4/ip_forward"
        assert (await nodes["pc"].run(["sh", "-c", f"echo 1 > {setting}"])).code == 0
        assert (await nodes["pc"].read(setting)) == b"1\n"
        assert (await nodes["gw"].read(setting)) == b"0\n"

    isolated(there)
