"""Which tunnels the documents of connections make; charon is not asked."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from gateway.arm.placement import Placement
from gateway.arm.resource import VirtualNetworkGateway
from gateway.charon.daemon import Charon
from gateway.policy.refusals import BoundedLog
from gateway.s2s.config import Tunnel
from gateway.s2s.sites import Connections

POOL, VNET, WEST = "172.16.201.0/24", "10.1.0.0/16", "10.2.0.0/16"


def gateway(document: Any) -> VirtualNetworkGateway:
    return VirtualNetworkGateway.model_validate(document())


def connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Connections, list[Any]]:
    """The connections of the gateway at 203.0.113.5, and the tunnels that it is to have."""
    placement = Placement.model_validate(
        {
            "name": "gw",
            "gatewayId": "1",
            "fqdn": "gw.vpn.azure.com",
            "publicIPAddress": "203.0.113.5",
            "privateIPAddress": "10.1.255.4",
            "virtualNetwork": {"name": "v", "addressPrefixes": [VNET]},
            "virtualNetworkGateways": {
                "west": {"publicIPAddress": "203.0.113.6", "addressPrefixes": [WEST]},
                "north": {"publicIPAddress": "203.0.113.4", "addressPrefixes": ["10.3.0.0/16"]},
            },
            "interfaces": {"public": "wan", "private": "lan"},
            "serverCertificate": {"certificate": "a", "privateKey": "b", "root": "c"},
        }
    )

    async def learnt() -> None:
        pytest.fail("nobody speaks BGP")

    made = Connections(placement, Charon(tmp_path, BoundedLog()), tmp_path, learnt)
    tunnels: list[Any] = []

    async def configure(wanted: tuple[Tunnel, ...]) -> None:
        tunnels[:] = wanted

    monkeypatch.setattr(made._engine, "configure", configure)
    return made, tunnels


def to_vnet(remote: str, **changes: Any) -> dict[str, Any]:
    properties = {
        "virtualNetworkGateway1": {"id": "gw"},
        "virtualNetworkGateway2": {"id": f"/x/{remote}"},
        "connectionType": "Vnet2Vnet",
        "sharedKey": "x",
    }
    return {"properties": properties | changes}


async def test_a_tunnel_to_a_vnet_carries_both_vnets_and_no_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: Any
) -> None:
    made, tunnels = connections(tmp_path, monkeypatch)
    made.take_connection("east-west", to_vnet("west"), gateway(document))
    await made.reconcile(gateway(document))
    [tunnel] = tunnels
    assert (tunnel.peer, tunnel.prefixes) == (IPv4Address("203.0.113.6"), (IPv4Network(WEST),))
    assert tunnel.local == (IPv4Network(VNET),)
    assert made.prefixes == (WEST,)


async def test_clients_reach_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: Any
) -> None:
    made, tunnels = connections(tmp_path, monkeypatch)
    site = {
        "localNetworkAddressSpace": {"addressPrefixes": ["192.168.50.0/24"]},
        "gatewayIpAddress": "198.51.100.2",
    }
    made.take_local_gateway("office", {"properties": site}, None)
    own = {"connectionType": "IPsec", "localNetworkGateway2": {"id": "office"}}
    made.take_connection(
        "office", to_vnet("west", virtualNetworkGateway2=None, **own), gateway(document)
    )
    await made.reconcile(gateway(document))
    assert tunnels[0].local == (IPv4Network(VNET), IPv4Network(POOL))
    assert tunnels[0].initiates


@pytest.mark.parametrize(
    ("remote", "mode", "initiates"),
    [
        ("west", "Default", True),
        ("north", "Default", False),
        ("north", "InitiatorOnly", True),
        ("west", "ResponderOnly", False),
    ],
)
async def test_one_of_two_gateways_initiates(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: Any,
    *,
    remote: str,
    mode: str,
    initiates: bool,
) -> None:
    made, tunnels = connections(tmp_path, monkeypatch)
    made.take_connection("c", to_vnet(remote, connectionMode=mode), gateway(document))
    await made.reconcile(gateway(document))
    assert [tunnel.initiates for tunnel in tunnels] == [initiates]
