"""Nobody comes in beside the tunnels, and nothing goes out beside them (a gateway, a site's device
and clients of all three protocols, with their real daemons)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from gateway.common.vocabulary import VpnProtocol
from gateway.forwarding.reach import TABLE
from lab.nodes.base import Node
from lab.observe.capture import capture
from lab.runtime.lab import Lab
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.rigs import gateway_bench
from tests.rigs.patience import EMPTY, PATIENCE
from tests.rigs.tun_router import PORT, udp
from tests.rigs.whole_lab import in_a_lab

TOPOLOGY = """
name: closed
story: A stranger on the Internet, and clients who try what they should not.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts: {app1: {subnet: app, serves: [echo]}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      customRoutes: {addressPrefixes: [192.168.50.0/24]}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2, {second}]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {name: r, properties: {publicCertData: "${contoso-root.publicCertData}"}}
pki:
  contoso-root: {}
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {to: contoso-gw, sharedKey: "psk of the lab"}
    hosts: {files: {serves: [echo]}}
access:
  home: {}
clients:
  alice: {client}
  bob: {client}
  carol: {client}
  dave: {client}
"""
CLIENT = "{{{system}, behind: home, certificate: {{issuer: contoso-root}}}}"
SECOND: dict[VpnProtocol, str] = {
    "OpenVPN": "os: linux",
    "SSTP": "os: windows10, sstpClient: python",
}
"""The gateway's protocol beside IKEv2, and an operating system that has both."""
both = pytest.mark.parametrize("second", SECOND)
PRIVATE = "10.1.255.4"
"""The gateway's."""


class Scene:
    """The lab with all clients connected, and a stranger whose provider routes any address."""

    def __init__(self, lab: Lab, second: VpnProtocol) -> None:
        self.lab = lab
        self.dials: dict[str, VpnProtocol] = {
            "alice": "IkeV2", "bob": second, "carol": second, "dave": "IkeV2"
        }  # fmt: skip
        self.nodes = lab.nodes
        self.inside: dict[str, str] = {}
        """Addresses in their tunnels, by client."""
        self.devices: dict[str, str] = {}

    async def set_up(self) -> None:
        """Dial, wait for the site, and give the Internet routes into private networks."""
        for client, protocol in self.dials.items():
            connection, _ = await self.lab.clients[client].dial(protocol)
            self.inside[client], self.devices[client] = connection.address, connection.interface

        async def reaches_site() -> bool:
            return await self.pings("bob", self.lab.addresses["files"])

        await wait_until("the site's tunnel", PATIENCE, reaches_site)
        for prefix, via in (
            ("10.1.0.0/16", "contoso-gw"),
            ("172.16.201.0/24", "contoso-gw"),
            ("192.168.50.0/24", "head-office"),
        ):
            argv = ["ip", "route", "add", prefix, "via", self.lab.addresses[via]]
            assert (await self.nodes["internet"].run(argv)).code == 0

    async def pings(self, node: str, address: str, *options: str, limit: float = 10.0) -> bool:
        """Whether one of two pings is answered."""
        argv = ["ping", "-n", "-c", "2", "-i", "0.1", "-W", str(limit), *options, address]
        return (await self.nodes[node].run(argv)).code == 0

    async def no_answer(self, node: str, address: str, *options: str) -> bool:
        """Whether neither of two pings is answered."""
        return not await self.pings(node, address, *options, limit=EMPTY)

    async def listen(self, node: str) -> socket.socket:
        """A socket on all addresses of a node."""
        return await self.nodes[node].call(_listening)

    async def forge(self, source: str, target: str) -> None:
        """Several datagrams from the Internet, in clear, with that source; what they cause has
        happened when this returns: honest packets, over more links, were answered after them."""
        for _ in range(3):
            await self.nodes["internet"].call(partial(_send_raw, udp(source, target)))
            app1 = self.lab.addresses["app1"]
            assert all(await asyncio.gather(*(self.pings(who, app1) for who in self.inside)))


def _listening() -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.setblocking(False)
    own.bind(("", PORT))
    return own


def _send_raw(packet: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as line:
        line.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def heard(own: socket.socket) -> list[str]:
    """The senders of received packets."""
    found = []
    while True:
        try:
            found.append(own.recvfrom(100)[1][0])
        except BlockingIOError:
            return found


def in_a_scene(logs: Path, second: VpnProtocol, test: Callable[[Scene], Awaitable[None]]) -> None:
    async def there(lab: Lab) -> None:
        scene = Scene(lab, second)
        await scene.set_up()
        await test(scene)

    text = TOPOLOGY.replace("{second}", second)
    in_a_lab(logs, text.replace("{client}", CLIENT.format(system=SECOND[second])), there)


@both
def test_the_internet_gets_nothing_in_and_no_answer_out(
    tmp_path: Path, second: VpnProtocol
) -> None:
    async def test(scene: Scene) -> None:
        addresses = scene.lab.addresses
        app, files, bob = [await scene.listen(node) for node in ("app1", "files", "bob")]
        gateway = await scene.listen("contoso-gw")
        for address in scene.inside.values():
            await scene.forge(address, addresses["app1"])
        await scene.forge(addresses["files"], addresses["app1"])
        await scene.forge(addresses["internet"], scene.inside["bob"])
        assert (heard(app), heard(bob)) == ([], [])
        # what a RADIUS server at the site would say, and what would be asked of it
        await scene.forge(addresses["files"], PRIVATE)
        await scene.forge(PRIVATE, addresses["files"])
        await scene.forge(addresses["app1"], addresses["files"])
        assert (heard(gateway), heard(files)) == ([], [])
        asking = await scene.nodes["contoso-gw"].call(partial(_ask, addresses["files"]))
        await scene.forge(addresses["files"], PRIVATE)
        files.sendto(b"answer", asking.getsockname())
        answer = await wait_until("the answer through the tunnel", PATIENCE, lambda: heard(asking))
        assert answer == [addresses["files"]], "one, and no forged one beside it"
        assert await scene.no_answer("internet", PRIVATE)
        assert await scene.no_answer("internet", addresses["contoso-gw"])

    in_a_scene(tmp_path, second, test)


def _ask(target: str) -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.setblocking(False)
    own.bind((PRIVATE, PORT + 1))
    own.sendto(b"question", (target, PORT))
    return own


@both
def test_clients_reach_what_is_routed_and_nothing_leaves_in_clear(
    tmp_path: Path, second: VpnProtocol
) -> None:
    async def test(scene: Scene) -> None:
        nodes, addresses = scene.nodes, scene.lab.addresses
        stranger = addresses["home"]
        async with capture(nodes["internet"], tmp_path / "net.pcap"):
            for client, device in scene.devices.items():
                assert await scene.pings(client, addresses["app1"])
                assert await scene.pings(client, addresses["files"])
                targets = [stranger, *(a for c, a in scene.inside.items() if c != client)]
                for target in targets:
                    await through(nodes[client], device, target)
                tries = (scene.no_answer(client, target, "-I", device) for target in targets)
                silent = dict(zip(targets, await asyncio.gather(*tries), strict=True))
                assert all(silent.values()), (client, silent)
        seen = (tmp_path / "net.pcap").read_bytes()
        assert len(seen) > 1000, "the tunnels' own packets are in it"
        for address in scene.inside.values():
            assert socket.inet_aton(address) not in seen

    in_a_scene(tmp_path, second, test)


async def through(node: Node, device: str, target: str) -> None:
    """Have the client send this into its tunnel, whatever its routes."""
    done = await node.run(["ip", "route", "replace", f"{target}/32", "dev", device])
    assert done.code == 0, done.output


@both
def test_who_is_not_in_the_set_is_not_forwarded_though_its_tunnel_is_up(
    tmp_path: Path, second: VpnProtocol
) -> None:
    async def test(scene: Scene) -> None:
        gateway, app1 = scene.nodes["contoso-gw"], scene.lab.addresses["app1"]
        listed = (await gateway.run(["nft", "list", "set", *TABLE.split(), "sessions"])).stdout
        devices = {"IkeV2": "ipsec0", "OpenVPN": "ovpn0", "SSTP": "sstp0"}
        for client, protocol in scene.dials.items():
            element = f'{scene.inside[client]} . "{devices[protocol]}"'
            assert element in listed
            assert await scene.pings(client, app1)
            argv = ["nft", f"delete element {TABLE} sessions {{ {element} }}"]
            assert (await gateway.run(argv)).code == 0
            assert await scene.no_answer(client, app1)
            assert await scene.no_answer("app1", scene.inside[client])
        assert len(await scene.lab.gateways["contoso-gw"].sessions()) == len(scene.dials)

    in_a_scene(tmp_path, second, test)


def test_a_sites_device_is_as_closed(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        nodes, addresses = scene.nodes, scene.lab.addresses
        stranger, device = addresses["internet"], addresses["head-office"]
        own, files = await scene.listen("head-office"), await scene.listen("files")
        for target in (device, addresses["files"]):
            await scene.forge(stranger, target)
            await scene.forge(addresses["app1"], target)
        assert (heard(own), heard(files)) == ([], [])
        assert await scene.no_answer("internet", device)
        assert await scene.pings("files", stranger), "the LAN reaches the Internet"
        async with capture(nodes["internet"], tmp_path / "net.pcap"):
            assert await scene.no_answer("files", "10.99.0.1"), "no tunnel leads there"
            assert await scene.pings("files", addresses["app1"])
        seen = (tmp_path / "net.pcap").read_bytes()
        assert len(seen) > 1000, "the tunnel's own packets are in it"
        for address in (addresses["files"], "10.99.0.1"):
            assert socket.inet_aton(address) not in seen

    in_a_scene(tmp_path, "OpenVPN", test)


def test_without_its_table_the_gateway_lets_nobody_in_until_it_is_told_again(
    tmp_path: Path,
) -> None:
    async def test(bench: gateway_bench.Bench) -> None:
        await bench.gateway.put(bench.document("OpenVPN"))
        removed = await bench.nodes["gw"].run(["nft", "delete", "table", *TABLE.split()])
        assert removed.code == 0
        alice = bench.computer("pc1", "alice")
        with pytest.raises(RefusedError):
            await alice.dial("OpenVPN")
        (record,) = await bench.records("refused")
        assert record["reason"] == "fault"
        assert record["message"].startswith("the gateway's own fault: nftables")
        assert await bench.gateway.sessions() == []
        await bench.gateway.put(bench.document("OpenVPN"))
        await alice.dial("OpenVPN")

    gateway_bench.on_a_gateway(tmp_path, test, gateway_bench.client("alice"))
