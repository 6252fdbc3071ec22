"""Labs do not need the machine's table of neighbours, which has 1,024 entries for everybody."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

from gateway.common import calls
from lab.kernel import requests
from lab.kernel.encoding import NLM_F_CREATE, NLM_F_REPLACE, attribute, message
from lab.kernel.netlink import BATCH, KernelError, Netlink
from lab.nodes.base import Node
from lab.runtime.kernels import boot, build_nodes
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from lab.waiting import wait_until
from tests.rigs.isolated import isolated

LIMIT = Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
REACHABLE, LINK = 0x02, 300
PCS = ("pc1", "pc2")
PLAN = Plan(
    "neighbours", "",
    nodes=(
        NodePlan("router", "internet", bridges=(Bridge("lan", ("10.0.0.1/24", "fd00::1/64")),),
                 forwarding=True),
        *(NodePlan(pc, "client", routes=(Route("default", "10.0.0.1"),)) for pc in PCS),
        NodePlan("far", "internet", routes=(Route("default", "192.0.2.1"),)),
    ),
    links=(
        *(Cable(End("router", f"p{n}", bridge="lan"),
               End(pc, "eth0", (f"10.0.0.{n + 2}/24", f"fd00::{n + 2}/64")))
          for n, pc in enumerate(PCS)),
        Cable(End("router", "wan", ("192.0.2.1/30",)), End("far", "wan", ("192.0.2.2/30",))),
    ),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip


def test_a_lab_answers_while_the_machine_s_table_is_full(tmp_path: Path) -> None:
    size = int(LIMIT.read_text())

    async def there() -> None:
        nodes = await build_nodes(PLAN, (), tmp_path)
        table = _other_network()
        _fill(table, size)
        for one, other in (("pc1", "127.0.0.1"), ("pc2", "10.0.0.2"), ("far", "10.0.0.3")):
            await _answers(nodes[one], other)
        assert _refused(table, [_entry(size + BATCH)]), "it was not full any more"
        table.close()

    isolated(there)


def test_who_is_known_is_known_after_a_restart_and_who_is_not_is_asked_for(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_nodes(PLAN, (), tmp_path)
        known = {"10.0.0.1", "fd00::1", "10.0.0.3", "fd00::3", "0.0.0.0", "::1"}
        assert await _permanent(nodes["pc1"]) == known
        await nodes["pc1"].reboot()
        assert await _permanent(nodes["pc1"]) == known
        assert await _permanent(nodes["router"]) >= {"10.0.0.2", "fd00::2", "192.0.2.2"}
        await nodes["pc2"].run(["ip", "address", "add", "10.0.0.77/24", "dev", "eth0"])
        await _answers(nodes["pc1"], "10.0.0.77")
        assert "10.0.0.77" not in await _permanent(nodes["pc1"])

    isolated(there)


def test_a_tunnel_has_its_entry_when_it_is_up_and_again_when_it_is_made_anew(
    tmp_path: Path,
) -> None:
    async def there() -> None:
        pc = (await build_nodes(PLAN, (), tmp_path))["pc1"]

        async def known() -> bool:
            told = await pc.run(["ip", "neighbour", "show", "dev", "tunnel", "nud", "permanent"])
            return told.stdout.startswith("0.0.0.0 ")

        for _ in range(2):
            for words in ("tuntap add tunnel mode tun", "link set tunnel up"):
                assert (await pc.run(["ip", *words.split()])).code == 0
            await wait_until("its entry", 30, known)
            await pc.run(["ip", "link", "delete", "tunnel"])

    isolated(there)


def test_a_node_with_a_kernel_of_its_own_is_known_and_knows(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_nodes(PLAN, ["pc1"], tmp_path)
        await boot(nodes.values())
        for _ in range(2):
            assert await _permanent(nodes["pc1"]) >= {"10.0.0.1", "fd00::1", "10.0.0.3"}
            assert await _permanent(nodes["pc2"]) >= {"10.0.0.1", "10.0.0.2", "fd00::2"}
            await _answers(nodes["pc2"], "10.0.0.2")
            await nodes["pc1"].reboot()  # type: ignore[attr-defined]

    isolated(there)


async def _answers(node: Node, address: str) -> None:
    done = await node.run(["ping", "-n", "-c1", "-W1", address])
    assert done.code == 0, f"{node.name} to {address}: {done.said}"


async def _permanent(node: Node) -> set[str]:
    told = (await node.run(["ip", "neighbour", "show", "nud", "permanent"])).stdout
    return {line.split()[0] for line in told.splitlines()}


def _other_network() -> Netlink:
    """A network of its own for this thread, with a link that reaches nobody."""
    calls.unshare(calls.NEWNET)
    netlink = Netlink()
    netlink.apply([requests.bridge("full", LINK), requests.address(LINK, "10.128.0.1/9")])
    return netlink


def _entry(number: int) -> requests.Request:
    """An entry that counts."""
    body = struct.pack("=B3xiHBB", 2, LINK, REACHABLE, 0, 0)
    body += attribute(1, struct.pack(">I", 0x0A800100 + number)) + attribute(2, bytes(5) + b"\1")
    return requests.Request("fill", message(28, NLM_F_CREATE | NLM_F_REPLACE, body))


def _fill(netlink: Netlink, size: int) -> None:
    """Until the kernel takes no more."""
    for first in range(0, size + BATCH, BATCH):
        if _refused(netlink, [_entry(first + number) for number in range(BATCH)]):
            return
    raise AssertionError(f"{size} entries and more were taken")


def _refused(netlink: Netlink, entries: list[requests.Request]) -> bool:
    try:
        netlink.apply(entries)
    except KernelError as error:
        return error.errno == errno.ENOBUFS
    return False
