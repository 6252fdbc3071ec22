"""A client who is let in and hostile reaches the VNet of its gateway and nothing else: whatever it
claims to be, whatever it sends, in every protocol. What arrives is seen at the far ends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from gateway.common.vocabulary import VpnProtocol
from gateway.forwarding.aggregate import DEVICE
from lab.runtime.lab import Lab
from lab.waiting import wait_until
from tests.rigs import tun_router
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import from_credential
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.hostile_packets import MARK, ODD, ORDINARY, PORT, Case, Cases
from tests.rigs.hostile_tunnels import Sender, dial
from tests.rigs.ike_attacker import by_eap_tls
from tests.rigs.ike_wire import selected, selectors, wish
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import off
from tests.rigs.watch import Seen, watching
from tests.rigs.whole_lab import in_a_lab

TOPOLOGY = """
name: hostile
story: A client sends what it likes to whom it likes.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts: {app1: {subnet: app, serves: [echo]}}
  adatum:
    addressSpace: [10.2.0.0/16]
    subnets: {GatewaySubnet: 10.2.255.0/27, app: 10.2.1.0/24}
    hosts:
      app2: {subnet: app, serves: [echo]}
      radius: {subnet: app, address: 10.2.1.50, radius: {users: {erin: {password: "Erin-1"}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2, {second}]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {name: r, properties: {publicCertData: "${contoso-root.publicCertData}"}}
  adatum-gw:
    vnet: adatum
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.202.0/24]}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 10.2.1.50
        radiusServerSecret: "secret of adatum"
connections:
  contoso-adatum:
    virtualNetworkGateway1: contoso-gw
    virtualNetworkGateway2: adatum-gw
    sharedKey: "key between VNets"
pki: {contoso-root: {}}
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {to: contoso-gw, sharedKey: "key of the site"}
    hosts: {files: {serves: [echo]}}
access: {home: {}}
clients:
  mallory: {client}
  bob: {client}
  carol: {client}
  erin: {os: windows10, behind: home, gateway: adatum-gw, user: erin}
"""
CLIENT = "{{{system}, behind: home, gateway: contoso-gw, certificate: {{issuer: contoso-root}}}}"
SYSTEMS: dict[VpnProtocol, str] = {
    "OpenVPN": "os: linux",
    "SSTP": "os: windows10, sstpClient: python",
}
SECOND: dict[VpnProtocol, VpnProtocol] = {"IkeV2": "OpenVPN", "OpenVPN": "OpenVPN", "SSTP": "SSTP"}
"""By the hostile client's protocol, what its gateway has beside IKEv2; bob has the same protocol as
mallory, carol the other one."""
GATEWAY = "contoso-gw"
POOL = IPv4Network("172.16.201.0/24")
BLOCKED = ("GRE", "IP in IP")
"""What no VNet carries."""
NOWHERE = ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1")
BROADCAST = ("172.16.201.0", "172.16.201.63", "172.16.201.64", "172.16.201.127", "172.16.201.128",
             "172.16.201.255", "10.1.1.255", "10.1.255.31")  # fmt: skip
"""Of the pool and its possible parts, and of subnets."""
ELSEWHERE = ("224.0.0.251", "239.1.1.1", "169.254.169.254", "168.63.129.16", "8.8.8.8")
FREE = ("172.16.201.61", "172.16.201.125", "172.16.201.200")
"""Of the pool; nobody has them."""
ICMP = 1
TS_UNACCEPTABLE = 38
"""A notification of IKEv2."""
ANSWERS = {(0, 0), (3, 0), (3, 1), (11, 0), (12, 0)}
"""What the gateway may tell a client of itself: the answer to a ping, no way there, time to live
exceeded, a wrong option (types and codes of ICMP)."""


class Scene:
    """Everybody is connected, and mallory has a tunnel of her own."""

    def __init__(self, lab: Lab, protocol: VpnProtocol) -> None:
        self.lab = lab
        self.protocol = protocol
        self.cases = Cases()
        self.others: dict[str, str] = {}
        """Whom she may not reach, and their addresses."""

    async def set_up(self) -> None:
        lab, second = self.lab, SECOND[self.protocol]
        other: VpnProtocol = "IkeV2" if self.protocol == second else second
        for name, protocol in (("bob", self.protocol), ("carol", other)):
            connection, _ = await lab.clients[name].dial(protocol)
            self.others[name] = connection.address
        for name in ("app2", "radius", "files", "internet", "home", "head-office", "adatum-gw"):
            self.others[name] = lab.addresses[name]
        told = await lab.nodes[GATEWAY].run(["ip", "-json", "-4", "address"])
        self.own = [
            one["local"] for link in json.loads(told.stdout) for one in link["addr_info"]
        ]  # fmt: skip
        self.app1 = lab.addresses["app1"]
        await wait_until("the tunnels between networks", PATIENCE, self.all_answer)
        tunnel = await dial(lab, "mallory", GATEWAY, self.protocol)
        self.sender = Sender(tunnel, self.app1)
        self.mallory = str(tunnel.address)

    async def all_answer(self) -> bool:
        """Whether app1 reaches the far ends: what was led to one of them has arrived by then."""
        for name in ("bob", "carol", "app2", "radius", "files"):
            ping = ["ping", "-n", "-c1", "-W2", self.others[name]]
            if (await self.lab.nodes["app1"].run(ping)).code:
                return False
        return True

    @property
    def liars(self) -> list[str]:
        """Addresses that are not hers."""
        claimed = (*self.others.values(), self.app1, *self.own, *NOWHERE, *BROADCAST, *FREE)
        return list(dict.fromkeys(claimed))

    @property
    def forbidden(self) -> list[str]:
        """Where she may not send."""
        aims = (*self.others.values(), *self.own, *NOWHERE, *BROADCAST[:-2], *ELSEWHERE, *FREE)
        return list(dict.fromkeys((*aims, self.mallory)))

    def attack(self) -> Iterator[bytes]:
        """All that she sends, but for honest packets."""
        packets, everywhere = self.cases.packets, [self.app1, *self.forbidden]
        usual = {name: ORDINARY[name] for name in ("UDP", "TCP SYN", "ping")}
        yield from packets(usual, self.liars, everywhere)
        yield from packets(ORDINARY | ODD, self.liars, [self.app1])
        yield from packets(ORDINARY | ODD, [self.mallory], self.forbidden)
        for through in (self.app1, *self.own):
            for target in self.others.values():
                yield from self.cases.source_routed(self.mallory, through, target)
        for target in ("ff02::1", "fe80::1", "fd00::1"):
            yield from self.cases.six("fd00::66", target)

    def wanted(self, packet: bytes) -> bool:
        """With a mark in it, or to or from the port that the attack has."""
        return MARK in packet or (packet[9:10] == b"\6" and _PORT in _ports(packet))

    def got_through(self, seen: Iterable[Seen]) -> list[str]:
        """What arrived that should not, in words."""
        found = {}
        for one in seen:
            if one.node == GATEWAY and (one.device == DEVICE or not one.leaves):
                continue  # it came out of a tunnel, and is judged behind it
            for case in self.cases.seen(one.packet) or [self._unmarked(one)]:
                if not self._may(case, one):
                    found[f"{case}: at {one.node}, {one.device}"] = None
        return list(found)

    def _unmarked(self, seen: Seen) -> Case:
        """As TCP answers."""
        ends = (str(IPv4Address(end)) for end in (seen.source, seen.target))
        return Case("an answer", *ends)

    def _may(self, case: Case, seen: Seen) -> bool:
        """An honest packet anywhere on its way, and what goes back to her."""
        honest = (case.source, case.target) == (self.mallory, self.app1)
        back = seen.target == IPv4Address(self.mallory).packed
        return honest or (back and self.mallory in (case.source, case.target))

    def answers(self) -> list[str]:
        """What she heard that the gateway should not have said to her."""
        heard, self.sender.heard = self.sender.heard, []
        gateway = {IPv4Address(one).packed for one in self.own}
        found = []
        for packet in heard:
            cases = [case for case in self.cases.seen(packet) if case.source != self.mallory]
            talks = packet[12:16] in gateway and not _is_told(packet)
            if cases or talks or packet[16:20] != IPv4Address(self.mallory).packed:
                found.append(f"{[*map(str, cases)]} {packet[:40].hex(' ')}")
        return found


_PORT = PORT.to_bytes(2, "big")


def _ports(packet: bytes) -> tuple[bytes, bytes]:
    start = (packet[0] & 15) * 4
    return packet[start : start + 2], packet[start + 2 : start + 4]


def _is_told(packet: bytes) -> bool:
    return packet[9] == ICMP and (packet[20], packet[21]) in ANSWERS


def in_a_scene(logs: Path, protocol: VpnProtocol, test: Callable[[Scene], Awaitable[None]]) -> None:
    async def there(lab: Lab) -> None:
        scene = Scene(lab, protocol)
        await scene.set_up()
        await test(scene)

    second = SECOND[protocol]
    text = TOPOLOGY.replace("{second}", second)
    in_a_lab(logs, text.replace("{client}", CLIENT.format(system=SYSTEMS[second])), there)


@pytest.mark.parametrize("protocol", SECOND)
def test_a_hostile_client_reaches_its_vnet_and_nothing_else(
    tmp_path: Path, protocol: VpnProtocol
) -> None:
    async def test(scene: Scene) -> None:
        nodes = {name: node for name, node in scene.lab.nodes.items() if name != "mallory"}
        async with watching(nodes, scene.wanted) as seen:
            kinds = ORDINARY | {kind: ODD[kind] for kind in BLOCKED}
            honest = list(scene.cases.packets(kinds, [scene.mallory], [scene.app1]))
            await off(lambda: scene.sender.send(honest))
            await off(lambda: scene.sender.send(scene.attack()))
            assert await scene.all_answer(), "and they answer still"
        assert scene.got_through(seen) == []
        arrived = {case.kind for one in seen if one.node == "app1"
                   for case in scene.cases.seen(one.packet)}  # fmt: skip
        assert arrived == {*ORDINARY}, "the honest ones"
        passed = {case.kind for one in seen if one.node == GATEWAY
                  for case in scene.cases.seen(one.packet)}  # fmt: skip
        assert passed >= {*BLOCKED}, "the VNet drops them, not the gateway"
        assert scene.answers() == []
        await off(lambda: scene.sender.send(every_port(scene.mallory, scene.own)))
        assert scene.answers() == []

    in_a_scene(tmp_path, protocol, test)


def every_port(source: str, targets: Iterable[str]) -> Iterator[bytes]:
    """Of the gateway's private address all ports, of its others those that some program has."""
    for target in targets:
        ports = (
            range(1, 65536) if target == tun_router.PRIVATE else (22, 53, 80, 443, 500, 1812, 4500)
        )
        for port in ports:
            yield tun_router.tcp(source, target, port)
            yield tun_router.udp(source, target, port=port)


def test_a_client_that_asks_for_others_addresses_gets_its_own_alone(tmp_path: Path) -> None:
    """The selectors of IKEv2, which charon's policies hold a client to, and the address itself."""
    network = IPv4Network("10.1.0.0/16")
    claimed = [IPv4Network(one) for one in ("0.0.0.0/0", "10.1.0.0/16", "192.168.50.0/24")]

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        bob, _ = await bench.computer("pc2", "bob").dial("IkeV2")
        wanted = [IPv4Address(one).packed for one in (bob.address, "10.1.1.4", "172.16.201.9")]
        mallory = by_eap_tls(from_credential(bench.credentials["mallory"]))
        manner = replace(mallory, asks=selectors(*claimed, POOL), wishes=wish(*wanted, b""))
        attacker, outcome = await Dialling(bench).ike("pc1", manner)
        assert outcome.established, outcome
        rows = {row["vpnUserName"]: row for row in await bench.gateway.sessions()}
        assert [*map(str, outcome.addresses)] == [rows["mallory"]["privateIpAddress"]]
        assert outcome.address != IPv4Address(bob.address)
        ours, theirs = map(selected, outcome.given)
        assert ours == [(outcome.address, outcome.address)]
        assert theirs == [(network[0], network[-1])]
        another = await off(lambda: attacker.more(selectors(*claimed, POOL)))
        assert [*map(selected, another.given)] == [ours, theirs], another
        others = [IPv4Network(one) for one in (bob.address, "10.1.0.0/16")]
        another = await off(lambda: attacker.more(selectors(*others)))
        assert (another.given, another.errors) == ((b"", b""), (TS_UNACCEPTABLE,))
        attacker.close()

    on_a_gateway(tmp_path, test, client("mallory"), client("bob"))
