"""Site-to-site on a kernel with ESP: the gateway's program in a user-mode Linux node, whose kernel
has it, and lacks nftables for IP: there the program refuses to work, and is told not to mind."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lab.nodes.base import Node
from lab.observe.capture import capture
from lab.pki.authority import issue
from lab.roles import RoleContext
from lab.roles.echo import start as start_echo
from lab.roles.site import start as start_device
from lab.runtime.kernels import boot, build_nodes
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from lab.topology.planning.specs import EchoSpec, VpnDeviceSpec
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.rigs.placements import CABLE, INTERNET, PRIVATE, PUBLIC, gateway_node
from tests.rigs.uml_gateway import CERTIFICATES, call, start_gateway

OFFICE, FILES = "198.51.100.2", "192.168.50.10"
LAN = "192.168.50.0/24"
KEY = "psk-of-the-lab"

PLAN = Plan(
    "esp",
    "",
    nodes=(
        INTERNET,
        gateway_node("ppp"),
        NodePlan(
            "office",
            "site",
            bridges=(Bridge("lan", ("192.168.50.1/24",)),),
            routes=(Route("default", "198.51.100.1"),),
            forwarding=True,
        ),
        NodePlan("files", "host", routes=(Route("default", "192.168.50.1"),)),
    ),
    links=(
        CABLE,
        Cable(End("net", "of", ("198.51.100.1/30",)), End("office", "wan", (f"{OFFICE}/30",))),
        Cable(End("office", "p0", bridge="lan"), End("files", "eth0", (f"{FILES}/24",))),
    ),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)
DOCUMENT = {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}}}


async def connect(gw: Node) -> None:
    await call(gw, "PUT", "/gateway", DOCUMENT)
    space = {"addressPrefixes": [LAN]}
    local = {"localNetworkAddressSpace": space, "gatewayIpAddress": OFFICE}
    await call(gw, "PUT", "/localNetworkGateways/office", {"name": "office", "properties": local})
    tunnel = {
        "virtualNetworkGateway1": {"id": "gw"},
        "localNetworkGateway2": {"id": "office"},
        "connectionType": "IPsec",
        "sharedKey": KEY,
        "dpdTimeoutSeconds": 9,
    }
    await call(gw, "PUT", "/connections/office", {"name": "office", "properties": tunnel})


async def becomes(gw: Node, status: str) -> dict[str, Any]:
    async def seen() -> dict[str, Any] | None:
        properties = (await call(gw, "GET", "/connections/office"))["properties"]
        return properties if properties["connectionStatus"] == status else None

    found = await wait_until(f"the tunnel is {status}", 90, seen)
    assert found
    return found


def echoed(address: str) -> bool:
    """From wherever this runs."""
    try:
        with socket.create_connection((address, 7), timeout=2) as line:
            line.sendall(b"hello")
            return line.recv(5) == b"hello"
    except OSError:
        return False


def sent(address: str) -> None:
    """A datagram, as RADIUS would be, with the gateway's private address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((PRIVATE, 0))
        line.settimeout(1)
        try:
            line.sendto(b"in the clear", (address, 1812))
        except OSError:
            return


def test_the_kernels_esp_carries_the_tunnel_and_nothing_passes_beside_it(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_nodes(PLAN, ["gw"], tmp_path)
        await boot(nodes.values())
        gw, office, net = nodes["gw"], nodes["office"], nodes["net"]
        await start_echo(nodes["files"], EchoSpec(), RoleContext())
        spec = VpnDeviceSpec(OFFICE, PUBLIC, (LAN,), ("0.0.0.0/0",), LAN, (LAN,), SecretStr(KEY))
        device = await start_device(office, spec, RoleContext())
        server = issue(CERTIFICATES)["gw-server"]
        fenced = await start_gateway(gw, "gateway", server)
        with pytest.raises(OSError, match="the kernel needs nf_tables with the family inet"):
            await call(gw, "PUT", "/gateway", DOCUMENT)
        state = (await call(gw, "GET", "/gateway"))["properties"]["provisioningState"]
        assert (state, (await call(gw, "GET", "/runtime"))["engines"]) == ("Failed", [])
        await fenced.stop()
        await start_gateway(gw, "tests.rigs.unfenced_gateway", server)
        await connect(gw)
        await becomes(gw, "Connected")
        assert await gw.call(partial(echoed, FILES)), "from the gateway's private address"
        assert await nodes["files"].call(partial(echoed, FILES))
        assert "ipsec0" not in (await gw.run(["ls", "/sys/class/net"])).stdout, "not userspace"
        properties = await becomes(gw, "Connected")
        assert properties["ingressBytesTransferred"] > 0
        async with capture(net, tmp_path / "net.pcap"):
            await device.stop()
            await gw.call(partial(sent, FILES))
            await becomes(gw, "NotConnected")
            await gw.call(partial(sent, FILES))
            (charon,) = (await gw.run(["pidof", "charon-systemd"])).stdout.split()
            await gw.run(["kill", "-STOP", charon])
            await gw.call(partial(sent, FILES))
        seen = (tmp_path / "net.pcap").read_bytes()
        assert b"in the clear" not in seen
        assert len(seen) > 1000, "IKE's own packets are in it"
        await gw.run(["kill", "-CONT", charon])
        await start_device(office, spec, RoleContext())
        await becomes(gw, "Connected")
        assert await gw.call(partial(echoed, FILES))

    isolated(there)
