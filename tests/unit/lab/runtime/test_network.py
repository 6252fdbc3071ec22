"""Networks built from plans, in a lab's namespaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.kernel.netlink import KernelError
from lab.nodes.namespace import NamespaceNode
from lab.runtime.network import build_network
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from tests.rigs.isolated import isolated

World = dict[str, NamespaceNode]


def plan(nodes: list[NodePlan], links: list[Cable]) -> Plan:
    return Plan("test", "", tuple(nodes), tuple(links), (), (), (), ())


def built(what: Plan, test: Callable[[World], Awaitable[None]], tmp_path: Path) -> None:
    async def there() -> None:
        await test(await build_network(what, tmp_path))

    isolated(there)


async def said(node: NamespaceNode, *argv: str) -> str:
    done = await node.run(argv)
    assert done.code == 0, done.output
    return done.stdout


CHAIN = plan(
    [
        NodePlan("a", "client", routes=(Route("default", "192.0.2.1"),)),
        NodePlan("r", "internet", forwarding=True, loopback=("198.51.100.253/32",)),
        NodePlan("b", "client", routes=(Route("192.0.2.0/24", "192.0.2.5"),)),
    ],
    [
        Cable(End("r", "p0", ("192.0.2.1/30",)), End("a", "eth0", ("192.0.2.2/30",)), mtu=1400),
        Cable(End("b", "eth0", ("192.0.2.6/30",)), End("r", "p1", ("192.0.2.5/30",))),
    ],
)


def test_packets_go_through_a_router(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await said(world["a"], "ping", "-c1", "-W2", "192.0.2.6")
        await said(world["a"], "ping", "-c1", "-W2", "198.51.100.253")

    built(CHAIN, test, tmp_path)


def test_mtu_loopback_forwarding_and_reverse_path_filter_are_set_and_not_inherited(
    tmp_path: Path,
) -> None:
    async def test(world: World) -> None:
        assert "mtu 1400" in await said(world["a"], "ip", "link", "show", "eth0")
        assert "mtu 1400" in await said(world["r"], "ip", "link", "show", "p0")
        assert "mtu 1500" in await said(world["b"], "ip", "link", "show", "eth0")
        await said(world["b"], "ping", "-c1", "-W1", "127.0.0.1")
        for name, forwards, path_filter in (("a", "0", "2"), ("r", "1", "0")):
            for sysctl, value in (
                ("ip_forward", forwards),
                ("conf/all/rp_filter", path_filter),
                ("conf/default/rp_filter", path_filter),
                ("tcp_orphan_retries", "1"),
            ):
                got = await said(world[name], "cat", f"/proc/sys/net/ipv4/{sysctl}")
                assert (sysctl, got.strip()) == (sysctl, value)

    built(CHAIN, test, tmp_path)


def test_a_cable_between_two_switches_joins_them(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await said(world["left"], "ping", "-c1", "-W2", "10.0.0.2")
        await said(world["pc"], "ping", "-c1", "-W2", "10.0.0.1")

    built(
        plan(
            [
                NodePlan("left", "vnet", bridges=(Bridge("lan", ("10.0.0.1/24",)),)),
                NodePlan("right", "vnet", bridges=(Bridge("lan", ("10.0.0.2/24",)), Bridge("x"))),
                NodePlan("pc", "host"),
            ],
            [
                Cable(End("left", "p0", bridge="lan"), End("right", "p0", bridge="lan")),
                Cable(End("pc", "eth0", ("10.0.0.3/24",)), End("right", "p1", bridge="lan")),
            ],
        ),
        test,
        tmp_path,
    )


def test_the_first_packet_of_every_computer_arrives(tmp_path: Path) -> None:
    """A port that does not carry yet would lose the first ARP request: a second's delay."""

    async def test(world: World) -> None:
        for number in range(30):
            done = await world[f"n{number}"].run(["ping", "-c1", "-W0.5", "10.0.0.1"])
            assert done.code == 0, f"n{number}: {done.output}"

    size = 30
    built(
        plan(
            [
                NodePlan("hub", "vnet", bridges=(Bridge("lan", ("10.0.0.1/24",)),)),
                *(NodePlan(f"n{number}", "host") for number in range(size)),
            ],
            [
                Cable(
                    End("hub", f"p{number}", bridge="lan"),
                    End(f"n{number}", "eth0", (f"10.0.0.{number + 10}/24",)),
                )
                for number in range(size)
            ],
        ),
        test,
        tmp_path,
    )


def test_ipv6_is_built_as_ipv4_is(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await said(world["a"], "ping", "-6", "-c1", "-W2", "2001:db8:2::2")

    built(
        plan(
            [
                NodePlan("a", "client", routes=(Route("default", "2001:db8:1::1"),)),
                NodePlan("r", "internet", forwarding=True),
                NodePlan("b", "client", routes=(Route("2001:db8:1::/48", "2001:db8:2::1"),)),
            ],
            [
                Cable(
                    End("r", "p0", ("2001:db8:1::1/64",)), End("a", "eth0", ("2001:db8:1::2/64",))
                ),
                Cable(
                    End("r", "p1", ("2001:db8:2::1/64",)), End("b", "eth0", ("2001:db8:2::2/64",))
                ),
            ],
        ),
        test,
        tmp_path,
    )


def test_a_refusal_names_node_request_and_reason(tmp_path: Path) -> None:
    async def there() -> None:
        lost = plan([NodePlan("alice", "client", routes=(Route("default", "192.0.2.1"),))], [])
        with pytest.raises(KernelError) as refused:
            await build_network(lost, tmp_path)
        assert "route add default via 192.0.2.1: Network is unreachable" in str(refused.value)
        assert refused.value.__notes__ == ["in node alice"]

    isolated(there)


def test_rules_that_nftables_refuses_name_their_node(tmp_path: Path) -> None:
    async def there() -> None:
        with pytest.raises(LabError, match="syntax error") as refused:
            await build_network(
                plan([NodePlan("r", "internet", nftables="add tabel")], []), tmp_path
            )
        assert refused.value.__notes__ == ["in node r"]

    isolated(there)
