"""Prefixes and names as people have them: tunnels whose routes cover the gateway or the client's
own network, homes with the VNet's addresses, Azure's own names. Reports of others are in networks/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.nodes.base import Node
from lab.runtime.lab import Lab
from lab.runtime.protocol import Event, StepResult
from lab.topology.model.steps import Steps
from lab.topology.model.vocabulary import VpnProtocol
from tests.rigs.verified import CHECKOUT, holds
from tests.rigs.whole_lab import in_a_lab

FILES = sorted(path.name for path in (CHECKOUT / "tests/e2e/networks").glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_a_report_is_as_it_should_be(name: str) -> None:
    told = holds(f"tests/e2e/networks/{name}")
    assert ("home" in name) == bool(told["warnings"])


TOPOLOGY = """\
name: networks
story: Clients whose tunnels and own networks have addresses in common.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts:
      app1: {{subnet: app, serves: [http]}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      customRoutes: {{addressPrefixes: [{routes}]}}
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [{offered}]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: root, properties: {{publicCertData: "${{contoso-root.publicCertData}}"}}}}
sites:
  office:
    lan: 192.168.50.0/24
    connection: {{to: contoso-gw, sharedKey: "a key"}}
    hosts: {{files: {{address: 192.168.50.10, serves: [http]}}}}
pki:
  contoso-root: {{}}
access:
  home: {access}
clients:
  alice:
    {{os: windows10, behind: home, protocols: [IkeV2, OpenVPN, SSTP], sstpClient: python,
     certificate: {{issuer: contoso-root}}}}
"""
PROTOCOLS: dict[VpnProtocol, str] = {
    "IkeV2": "IkeV2, OpenVPN",
    "OpenVPN": "IkeV2, OpenVPN",
    "SSTP": "SSTP",
}
"""Each with what the gateway offers beside it."""
INTERNET = {"address": "198.51.100.253", "port": 53, "protocol": "tcp"}
"""The public DNS server."""


def topology(over: VpnProtocol, *, routes: str = "", access: str = "{}") -> str:
    return TOPOLOGY.format(offered=PROTOCOLS[over], routes=routes, access=access)


async def check(lab: Lab, *steps: dict[str, Any]) -> None:
    """Every step holds."""
    results: list[str] = []

    def add(event: Event) -> None:
        if isinstance(event, StepResult) and not event.held:
            results.append(f"{event.text}: {event.detail}")

    await lab.run(Steps.validate_python(list(steps)), add)
    assert results == []


async def routing(node: Node) -> set[str]:
    """Routes and rules of a node, but for the kernel's caches."""
    texts = [
        (await node.run(["ip", *words])).stdout
        for words in (("route", "show", "table", "all"), ("rule",))
    ]
    return {line.strip() for text in texts for line in text.splitlines() if line.strip()}


async def all_is_as_before(
    lab: Lab, client: str, over: VpnProtocol, *between: dict[str, Any]
) -> None:
    """What holds meanwhile; after the tunnel, the client has its own routes again."""
    before = await routing(lab.nodes[client])
    internet = {"reaches": client, **INTERNET}
    await check(
        lab, internet, {"connects": client, "over": over}, *between, {"hangUp": client}, internet
    )
    assert await routing(lab.nodes[client]) == before


APP = {"reaches": "alice", "host": "app1", "port": 80}
ROUTES = {
    "everything": "0.0.0.0/0",
    "halves": "0.0.0.0/1, 128.0.0.0/1",
    "the gateway alone": "203.0.113.2/32, 198.51.100.253/32",
    "the gateway, and the client's own network in parts": (
        "203.0.113.0/24, 198.51.100.0/24, 192.168.77.0/25, 192.168.77.1/32, 192.168.77.128/25"
    ),
}


@pytest.mark.parametrize("over", PROTOCOLS)
def test_custom_routes_that_cover_the_gateway(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(lab: Lab) -> None:
        dropped = {"cannotReach": "alice", **INTERNET, "within": 1}
        for routes in ROUTES.values():
            custom = {"customRoutes": {"addressPrefixes": routes.split(", ")}}
            await check(lab, {"update": "contoso-gw", "properties": custom})
            await all_is_as_before(lab, "alice", over, APP, dropped)

    in_a_lab(tmp_path, topology(over), test)


@pytest.mark.parametrize("over", ["OpenVPN", "SSTP"])
def test_custom_routes_that_cover_the_proxy(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(lab: Lab) -> None:
        await check(lab, {"connects": "alice", "over": over}, APP, {"hangUp": "alice"})

    routes = "0.0.0.0/1, 128.0.0.0/1, 192.168.77.0/25, 192.168.77.2/32"
    in_a_lab(tmp_path, topology(over, routes=routes, access="{proxy: {}}"), test)


HOMES = {
    "10.1.1.0/24": False,
    "10.1.0.0/16": False,
    "10.0.0.0/8": True,
    "172.16.0.0/12": True,
    "172.16.201.0/24": True,
    "192.168.50.0/24": True,
}
"""The prefix of a home, and whether its computers reach the VNet; that of the pool and of the site
are no obstacle."""


@pytest.mark.parametrize("over", PROTOCOLS)
def test_the_longest_prefix_decides_and_of_equal_ones_the_homes(
    tmp_path: Path, over: VpnProtocol
) -> None:
    async def test(lab: Lab) -> None:
        for number, reached in enumerate(HOMES.values()):
            client = f"alice{number}"
            target = {"host": "app1", "port": 80}
            app = {"reaches": client} if reached else {"cannotReach": client, "within": 1}
            reaches = {"reaches": client, **INTERNET}
            await all_is_as_before(lab, client, over, {**app, **target}, reaches)

    head, _, tail = topology(over, access="{}").partition("  home: {}\nclients:\n  alice:")
    homes = "".join(f"  home{number}: {{lan: {lan}}}\n" for number, lan in enumerate(HOMES))
    clients = "".join(
        f"  alice{number}:{tail.replace('behind: home', f'behind: home{number}')}"
        for number in range(len(HOMES))
    )
    in_a_lab(tmp_path, f"{head}{homes}clients:\n{clients}", test)


@pytest.mark.parametrize("over", PROTOCOLS)
def test_a_custom_route_to_one_host_leads_to_that_host(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(lab: Lab) -> None:
        await check(
            lab,
            {"tunnel": "office", "is": "Connected"},
            {"connects": "alice", "over": over},
            {"reaches": "alice", "host": "files", "port": 80},
            {"reaches": "files", "host": "app1", "port": 80},
            APP,
        )

    in_a_lab(tmp_path, topology(over, routes="192.168.50.10/32, 10.1.1.4/32"), test)


@pytest.mark.parametrize("over", PROTOCOLS)
def test_ten_dials_in_a_row_are_alike(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(lab: Lab) -> None:
        alice = lab.nodes["alice"]
        before = await alice.read("/etc/resolv.conf")
        dial = ({"connects": "alice", "over": over}, APP, {"hangUp": "alice"})
        for _ in range(10):
            await check(lab, *dial)
            assert await alice.read("/etc/resolv.conf") == before

    text = topology(over).replace(
        "app1: {subnet: app, serves: [http]}",
        "app1: {subnet: app, serves: [http]}\n    dhcpOptions: {dnsServers: [10.1.1.4]}",
    )
    in_a_lab(tmp_path, text, test)


def test_protocols_may_change_ten_times_while_the_port_is_the_same(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        for offered in 5 * ["SSTP", "OpenVPN"]:
            protocols = {"vpnClientProtocols": ["IkeV2", offered]}
            await check(
                lab,
                {"update": "contoso-gw", "properties": {"vpnClientConfiguration": protocols}},
                {"connects": "alice", "over": offered},
                APP,
                {"hangUp": "alice"},
            )

    in_a_lab(tmp_path, topology("IkeV2"), test)
