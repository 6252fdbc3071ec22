"""BGP with real BIRDs: what sites announce must not harm the gateway, nor other sites."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.s2s.bgp import MOST_PREFIXES
from lab.roles.gateway import GatewayRefusedError
from lab.runtime.lab import Lab
from lab.waiting import wait_until
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

HOSTILE = (
    "[192.168.60.0/24, 192.168.50.1/32, 10.1.1.0/24, 10.0.0.0/8, 172.16.201.0/25, 0.0.0.0/0, "
    "198.51.100.0/24, 203.0.113.0/24]"
)
ACCEPTED = {"head-office": {"192.168.50.0/24"}, "branch": {"192.168.60.0/24"}}
PEER = {"head-office": "192.168.50.1", "branch": "192.168.60.1"}


def topology(announced: str = HOSTILE) -> str:
    """Two sites; what `branch` announces."""
    return f"""
name: bgp
story: Two sites speak BGP.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app, serves: [echo]}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      enableBgp: true
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: r, properties: {{publicCertData: "${{root.publicCertData}}"}}}}
pki: {{root: {{}}}}
sites:
  branch:
    lan: 192.168.60.0/24
    bgp: {{asn: 65020, announce: {announced}}}
    connection: {{to: contoso-gw, sharedKey: key-of-branch}}
  head-office:
    lan: 192.168.50.0/24
    bgp: {{asn: 65010}}
    connection: {{to: contoso-gw, sharedKey: key-of-head-office}}
access: {{home: {{}}}}
clients:
  alice: {{os: linux, behind: home, certificate: {{issuer: root}}}}
"""


async def learns(lab: Lab, wanted: dict[str, set[str]]) -> None:
    """Wait until the gateway has accepted exactly this."""

    async def same() -> bool:
        rows = await lab.gateways["contoso-gw"].learned_routes()
        found = {
            site: {row["network"] for row in rows if row["sourcePeer"] == peer}
            for site, peer in PEER.items()
        }
        return found == wanted

    await wait_until(f"the gateway learns {wanted}", PATIENCE, same)


async def session_is(lab: Lab, site: str, state: str) -> None:
    """Wait for ARM's state of a BGP peer."""

    async def seen() -> bool:
        rows = await lab.gateways["contoso-gw"].bgp_peers()
        return [row["state"] for row in rows if row["neighbor"] == PEER[site]] == [state]

    await wait_until(f"BGP with {site} is {state}", PATIENCE, seen)


async def stands(lab: Lab, site: str) -> None:
    """Wait for a tunnel: it is set up anew for what is learnt."""

    async def seen() -> bool:
        properties = (await lab.gateways["contoso-gw"].connection(site))["properties"]
        return bool(properties["connectionStatus"] == "Connected")

    await wait_until(f"the tunnel of {site} stands", PATIENCE, seen)


async def way_to(lab: Lab, address: str) -> str:
    """Where the gateway sends its own packets to an address."""
    return (await lab.nodes["contoso-gw"].run(["ip", "route", "get", address])).stdout


def test_a_hostile_site_gets_nothing_but_its_own(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        before = {
            name: await way_to(lab, address)
            for name, address in (
                ("Internet", lab.addresses["branch"]),
                ("VNet", lab.addresses["app1"]),
                ("clients", "172.16.201.2"),
            )
        }
        await learns(lab, ACCEPTED)

        async def leads() -> bool:
            return "ipsec0" in await way_to(lab, "192.168.60.9")

        await wait_until("the route of the tunnel to branch", PATIENCE, leads)
        for name, address in (
            ("Internet", lab.addresses["branch"]),
            ("VNet", lab.addresses["app1"]),
            ("clients", "172.16.201.2"),
        ):
            assert await way_to(lab, address) == before[name], name
        told = await lab.explain("branch", "", 0)
        assert "layer" not in told
        (chain,) = told["chains"]
        (row,) = (one for one in chain["layers"] if one["layer"] == "bgp")
        assert row["state"] == "passed"
        assert "is established; learnt: 192.168.60.0/24; it takes no " in row["seen"]
        assert {"10.1.1.0/24", "0.0.0.0/0"} <= set(row["seen"].rpartition(" no ")[2].split(", "))

    in_a_lab(tmp_path, topology(), test)


def test_nobody_else_speaks_to_the_gateways_bird(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await learns(lab, ACCEPTED)
        speaker = (await lab.gateways["contoso-gw"].bgp_peers())[0]["localAddress"]
        public = lab.addresses["contoso-gw"]
        await lab.clients["alice"].dial("IkeV2")

        def answers(address: str) -> bool:
            try:
                socket.create_connection((address, 179), timeout=1).close()
            except OSError:
                return False
            return True

        for name, address in (("alice", public), ("alice", speaker), ("app1", speaker)):
            assert not await lab.nodes[name].call(lambda to=address: answers(to)), name

    in_a_lab(tmp_path, topology(), test)


@pytest.mark.parametrize("more", [0, 1])
def test_beyond_the_limit_the_session_ends_and_the_tunnel_stands(tmp_path: Path, more: int) -> None:
    networks = [f"10.{2 + i // 128}.{i % 128 * 2}.0/24" for i in range(MOST_PREFIXES + more)]

    async def test(lab: Lab) -> None:
        if more:
            await session_is(lab, "branch", "Stopped")
        await learns(lab, {**ACCEPTED, "branch": set() if more else set(networks)})
        await session_is(lab, "head-office", "Connected")
        await stands(lab, "branch")

    in_a_lab(tmp_path, topology(f"[{', '.join(networks)}]"), test)


def test_what_a_connection_with_bgp_needs_cannot_be_taken_away(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        gateway: Any = lab.gateways["contoso-gw"]
        await learns(lab, ACCEPTED)
        resource = await gateway.get()
        for change, words in (
            ({"enableBgp": False}, "contoso-gw has no BGP"),
            ({"bgpSettings": {"asn": 65020}}, "branch has the gateway's own ASN 65020"),
        ):
            with pytest.raises(GatewayRefusedError, match=words):
                await gateway.put(resource | {"properties": resource["properties"] | change})
        local = await gateway.local_network_gateway("branch")
        local["properties"].pop("bgpSettings")
        with pytest.raises(GatewayRefusedError, match="branch has no bgpSettings"):
            await gateway.put_local_network_gateway(local)
        local = await gateway.local_network_gateway("branch")
        local["properties"] |= {
            "localNetworkAddressSpace": {"addressPrefixes": ["192.168.50.0/24"]},
            "bgpSettings": {"asn": 65020, "bgpPeeringAddress": PEER["head-office"]},
        }
        with pytest.raises(
            GatewayRefusedError, match=r"head-office has its peer at 192\.168\.50\.1"
        ):
            await gateway.put_local_network_gateway(local)
        await learns(lab, ACCEPTED)

    in_a_lab(tmp_path, topology(), test)


def test_a_peer_that_moves_is_not_taken_for_another(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        gateway: Any = lab.gateways["contoso-gw"]
        await learns(lab, ACCEPTED)
        await gateway.delete("connections", "branch")  # the first of BIRD's peers
        await learns(lab, {**ACCEPTED, "branch": set()})
        await session_is(lab, "head-office", "Connected")

    in_a_lab(tmp_path, topology(), test)


def test_a_new_pool_takes_its_addresses_back_from_a_site(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        gateway: Any = lab.gateways["contoso-gw"]
        await learns(lab, {**ACCEPTED, "branch": {"192.168.60.0/24", "172.16.202.0/24"}})
        resource = await gateway.get()
        client = resource["properties"]["vpnClientConfiguration"]
        client["vpnClientAddressPool"] = {"addressPrefixes": ["172.16.202.0/25"]}
        await gateway.put(resource)
        await learns(lab, ACCEPTED)
        await stands(lab, "branch")
        await lab.clients["alice"].dial("IkeV2")

    in_a_lab(tmp_path, topology("[192.168.60.0/24, 172.16.202.0/24]"), test)
