"""The running gateway takes as many tunnels as its size has: seed, table of SKUs, first column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.roles.gateway import GatewayRefusedError
from tests.rigs.gateway_bench import Bench, on_a_gateway

OTHER_VNET = {"west": {"publicIPAddress": "203.0.113.6", "addressPrefixes": ["10.2.0.0/16"]}}
NEWER = ("VpnGw1", "VpnGw2", "VpnGw3", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ")


def connection(name: str, kind: str, **end: dict[str, str]) -> dict[str, Any]:
    properties = {
        "connectionType": kind,
        "virtualNetworkGateway1": {"id": "/virtualNetworkGateways/gw"},
        "sharedKey": f"key of {name}",
    }
    return {"name": name, "properties": properties | end}


async def connect_site(bench: Bench, number: int) -> None:
    """PUT a site and its connection."""
    name = f"site{number}"
    site = {
        "localNetworkAddressSpace": {"addressPrefixes": [f"192.168.{number}.0/24"]},
        "gatewayIpAddress": f"198.51.100.{number}",
    }
    await bench.gateway.put_local_network_gateway({"name": name, "properties": site})
    end = {"id": f"/localNetworkGateways/{name}"}
    await bench.gateway.put_connection(connection(name, "IPsec", localNetworkGateway2=end))


@pytest.mark.parametrize(
    ("sizes", "most", "remedy"),
    [
        (("Basic",), 10, "cannot be resized: delete it and create it anew"),
        (NEWER, 30, "use Virtual WAN if you need more than 30 S2S VPN tunnels"),
    ],
    ids=["Basic", "newer"],
)
def test_one_tunnel_more_than_the_size_has_is_refused(
    tmp_path: Path, sizes: tuple[str, ...], most: int, remedy: str
) -> None:
    """One of them leads to another VNet, and counts like the others."""

    async def test(bench: Bench) -> None:
        document: dict[str, Any] = {"name": "gw", "properties": {"sku": {"name": sizes[0]}}}
        await bench.gateway.put(document)
        west = {"id": "/virtualNetworkGateways/west"}
        await bench.gateway.put_connection(
            connection("west", "Vnet2Vnet", virtualNetworkGateway2=west)
        )
        for number in range(1, most):
            await connect_site(bench, number)
        for size in sizes:
            document["properties"]["sku"]["name"] = size
            await bench.gateway.put(document)
            with pytest.raises(GatewayRefusedError) as refused:
                await connect_site(bench, most)
            assert f"the {size} SKU allows {most} site-to-site tunnels" in str(refused.value)
            assert remedy in str(refused.value)
            assert len(await bench.gateway.connections()) == most

        await bench.gateway.delete("connections", "site1")
        await connect_site(bench, most)

    on_a_gateway(tmp_path, test, virtualNetworkGateways=OTHER_VNET)
