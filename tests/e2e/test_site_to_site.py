"""Site-to-site tunnels with real daemons at both ends, beside point-to-site on one charon."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import vici

from lab.errors import UsageError
from lab.nodes.base import Node
from lab.roles import RoleContext
from lab.roles.gateway import GatewayRefusedError, UnixGateway
from lab.roles.site import TUNNEL, Device, start
from lab.runtime.lab import Lab
from lab.topology.model.steps import Fault
from lab.topology.planning.specs import VpnDeviceSpec
from lab.waiting import wait_until
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

KEY, OTHER_KEY = "psk-of-the-head-office", "psk-of-the-branch"
TOPOLOGY = f"""
name: site-to-site
story: Two sites are connected to a VNet.
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
      customRoutes: {{addressPrefixes: [192.168.50.0/24]}}
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: r, properties: {{publicCertData: "${{contoso-root.publicCertData}}"}}}}
pki:
  contoso-root: {{}}
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {{to: contoso-gw, sharedKey: {KEY}, dpdTimeoutSeconds: 9}}
    hosts: {{files: {{serves: [echo]}}}}
  branch:
    lan: 192.168.60.0/24
    connection: {{to: contoso-gw, sharedKey: {OTHER_KEY}, dpdTimeoutSeconds: 9}}
    hosts: {{till: {{serves: [echo]}}}}
access:
  home: {{}}
clients:
  alice: {{os: linux, behind: home, certificate: {{issuer: contoso-root}}}}
"""


def gateway(lab: Lab) -> UnixGateway:
    handle = lab.gateways["contoso-gw"]
    assert isinstance(handle, UnixGateway)
    return handle


async def becomes(lab: Lab, site: str, status: str, limit: float = PATIENCE) -> dict[str, Any]:
    """Wait for a connection's status; its properties."""

    async def seen() -> dict[str, Any] | None:
        properties = (await gateway(lab).connection(site))["properties"]
        return properties if properties["connectionStatus"] == status else None

    found = await wait_until(f"{site} is {status}", limit, seen)
    assert found
    return found


async def reached(lab: Lab, node: str, target: str) -> bool:
    """Whether an echo server answers."""

    def probe() -> bool:
        try:
            with socket.create_connection((lab.addresses[target], 7), timeout=1) as line:
                line.sendall(b"hello")
                return line.recv(5) == b"hello"
        except OSError:
            return False

    return await lab.nodes[node].call(probe)


def test_two_sites_and_a_client_reach_each_other(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        for site in ("head-office", "branch"):
            await becomes(lab, site, "Connected")
        assert await reached(lab, "app1", "files")
        assert await reached(lab, "files", "app1")
        assert await reached(lab, "app1", "till")
        await lab.clients["alice"].dial("IkeV2")
        assert await reached(lab, "alice", "files"), "customRoutes lead to the head office"
        assert await reached(lab, "alice", "app1")
        properties = await becomes(lab, "head-office", "Connected")
        assert properties["ingressBytesTransferred"] > 0
        assert properties["egressBytesTransferred"] > 0
        assert "sharedKey" not in properties

        async def agree() -> bool:  # the last connection's closing segments may be on their way
            sent = (await becomes(lab, "head-office", "Connected"))["egressBytesTransferred"]
            return bool((await lab.devices["head-office"].state())["ingress"] == sent)

        await wait_until("both ends count the same bytes", PATIENCE, agree)

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_a_cut_path_comes_back_by_itself(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "head-office", "Connected")
        cut = Fault.model_validate({"fault": "s2s-cut", "at": "head-office"})
        await lab.faults.begin(cut)
        with pytest.raises(UsageError, match="is already active"):
            await lab.faults.begin(cut)
        await becomes(lab, "head-office", "NotConnected", 40)
        assert not await reached(lab, "app1", "files")
        assert await reached(lab, "app1", "till"), "the other site is not touched"
        (*_, record) = await gateway(lab).tunnel_log()
        assert "does not answer" in record["message"]
        await lab.faults.end("s2s-cut")
        await becomes(lab, "head-office", "Connected", 20)
        assert await reached(lab, "app1", "files")

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_the_tunnel_comes_back_after_either_end_was_killed(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "head-office", "Connected")
        (engine, *_) = (await gateway(lab).runtime())["engines"]
        await lab.nodes["contoso-gw"].run(["kill", "-9", str(engine["pid"])])
        await becomes(lab, "head-office", "NotConnected")
        await becomes(lab, "head-office", "Connected")
        await becomes(lab, "branch", "Connected")
        assert await reached(lab, "app1", "files")

        device = lab.devices["head-office"]
        assert isinstance(device, Device)
        device.signal(signal.SIGKILL)
        await device.wait()
        (spec,) = [
            spec
            for node in lab.plan.nodes
            if node.name == "head-office"
            for spec in node.services
            if isinstance(spec, VpnDeviceSpec)
        ]
        await start(lab.nodes["head-office"], spec, RoleContext())

        async def again() -> bool:
            return await reached(lab, "app1", "files")

        await wait_until("traffic passes again", 40, again)

    in_a_lab(tmp_path, TOPOLOGY, test)


UNTIL_ENOUGH = """\
until ping -n -c 1 -W 1 $1; do :; done
until [ -e /tmp/enough ]; do ping -n -c 10 -i 0.02 $1; done
"""
"""The first is not counted: the site may hear a moment after the gateway that they are connected.
Each ping waits for its last answer; if it were sent a signal, it would not."""


def test_new_keys_cost_no_packet_and_no_count(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "head-office", "Connected")
        app1 = lab.nodes["app1"]
        argv = ["sh", "-c", UNTIL_ENOUGH, "ping", lab.addresses["files"]]
        ping = asyncio.create_task(app1.run(argv, limit=3 * PATIENCE))
        await counted(lab, 20 * 84)
        for order in ({"child": TUNNEL}, {"ike": TUNNEL}):
            with vici_of(lab.nodes["head-office"]) as session:
                session.rekey(order)
            before = (await becomes(lab, "head-office", "Connected"))["egressBytesTransferred"]
            await counted(lab, before + 84)
        await app1.write("/tmp/enough", "")
        told = (await ping).stdout
        heard = re.findall(r"10 packets transmitted, (\d+) received", told)
        assert set(heard) == {"10"}, told
        sent = (await becomes(lab, "head-office", "Connected"))["egressBytesTransferred"]
        assert sent >= 84 * 10 * len(heard)
        statuses = [row["status"] for row in await gateway(lab).tunnel_log()]
        assert statuses.count("Connected") == 2, "one for each site: nothing was set up anew"

    in_a_lab(tmp_path, TOPOLOGY, test)


async def counted(lab: Lab, least: int) -> None:
    """Wait until the gateway has sent so many bytes to the head office."""

    async def sent() -> bool:
        properties = (await gateway(lab).connection("head-office"))["properties"]
        return bool(properties["egressBytesTransferred"] >= least)

    await wait_until(f"{least} bytes", PATIENCE, sent)


@contextmanager
def vici_of(node: Node) -> Iterator[vici.Session]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(node.run_directory / "strongswan/charon.vici"))
        yield vici.Session(line)


def test_a_wrong_key_is_told_and_put_right(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "branch", "Connected")
        connection = await gateway(lab).connection("branch")
        connection["properties"]["sharedKey"] = "another"
        await gateway(lab).put_connection(connection)
        await becomes(lab, "branch", "NotConnected")
        (*_, record) = await gateway(lab).tunnel_log()
        assert (record["connection"], record["remoteIP"]) == ("branch", lab.addresses["branch"])
        assert record["message"].startswith("the pre-shared keys differ")
        assert await gateway(lab).log() == [], "a site is no client"
        connection["properties"]["sharedKey"] = OTHER_KEY
        await gateway(lab).put_connection(connection)
        await becomes(lab, "branch", "Connected")

    in_a_lab(tmp_path, TOPOLOGY, test)
    logs = [path.read_text() for path in tmp_path.rglob("*.log")]
    assert not [text for text in logs if OTHER_KEY in text or KEY in text]


def test_what_get_returned_can_be_put_again_and_changes_nothing(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "branch", "Connected")
        before = await gateway(lab).tunnel_log()
        await gateway(lab).put_connection(await gateway(lab).connection("branch"))
        await becomes(lab, "branch", "Connected")
        assert await gateway(lab).tunnel_log() == before

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_tunnels_live_without_point_to_site_and_end_with_their_connection(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "head-office", "Connected")
        resource = await gateway(lab).get()
        client = resource["properties"].pop("vpnClientConfiguration")
        await lab.clients["alice"].dial("IkeV2")
        await gateway(lab).put(resource)
        assert (await gateway(lab).runtime())["engines"] == []
        await becomes(lab, "head-office", "Connected")
        assert await reached(lab, "app1", "files")
        resource["properties"]["vpnClientConfiguration"] = client
        await gateway(lab).put(resource)
        await lab.clients["alice"].dial("IkeV2")
        await becomes(lab, "head-office", "Connected")
        assert await reached(lab, "alice", "files")
        with pytest.raises(GatewayRefusedError, match="head-office is used by head-office"):
            await gateway(lab).delete("localNetworkGateways", "head-office")
        await gateway(lab).delete("connections", "head-office")
        await gateway(lab).delete("localNetworkGateways", "head-office")
        assert not await reached(lab, "app1", "files")
        assert await reached(lab, "alice", "app1")

    in_a_lab(tmp_path, TOPOLOGY, test)
