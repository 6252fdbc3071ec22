"""Point-to-site IKEv2 with kernels that have ESP, gateway and client in user-mode Linux nodes: with
no NAT between them the tunnel is IP protocol 50 on the wire."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from lab.clients.persona import offered
from lab.clients.profile import read_profile
from lab.clients.strongswan import StrongSwan
from lab.clients.user import UserCertificate
from lab.nodes.base import Node
from lab.pki.authority import Credential, issue
from lab.runtime.kernels import boot, build_nodes
from lab.topology.planning.plan import Cable, CertificatePlan, End, NodePlan, Plan, Route
from tests.rigs.isolated import isolated
from tests.rigs.placements import CABLE, INTERNET, PRIVATE, PUBLIC, gateway_node
from tests.rigs.uml_gateway import CERTIFICATES, FQDN, ask, start_gateway
from tests.rigs.watch import watching

CLIENT = "192.0.2.2"
PLAN = Plan(
    "esp",
    "",
    nodes=(
        INTERNET,
        gateway_node("ppp"),
        NodePlan(
            "pc",
            "client",
            needs=("ppp",),
            routes=(Route("default", "192.0.2.1"),),
            hosts=((PUBLIC, (FQDN,)),),
        ),
    ),
    links=(
        CABLE,
        Cable(End("net", "pc", ("192.0.2.1/30",)), End("pc", "eth0", (f"{CLIENT}/30",))),
    ),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)
USERS = (
    CertificatePlan("root", "Contoso Root", None, "root"),
    CertificatePlan("alice", "alice", "root", "client"),
)
UDP, ESP = 17, 50


def document(root: Credential) -> dict[str, Any]:
    data = {"publicCertData": root.public_cert_data}
    configuration = {
        "vpnClientAddressPool": {"addressPrefixes": ["172.16.201.0/24"]},
        "vpnClientProtocols": ["IkeV2"],
        "vpnAuthenticationTypes": ["Certificate"],
        "vpnClientRootCertificates": [{"name": "root", "properties": data}],
    }
    properties = {"sku": {"name": "VpnGw1"}, "vpnClientConfiguration": configuration}
    return {"name": "gw", "properties": properties}


async def client(pc: Node, gw: Node, alice: Credential) -> StrongSwan:
    wanted = {"authenticationMethod": "EAPTLS"}
    profile = read_profile(await ask(gw, "POST", "/gateway/generatevpnprofile", wanted))
    user = UserCertificate(alice.chain_pem, alice.key_pem, ())
    return StrongSwan(pc, profile, user, offered("linux", None, None))


def is_ike(packet: bytes) -> bool:
    """Whether a UDP packet is IKE's: on port 4500, where MOBIKE goes, a marker is before it that
    ESP never has (RFC 3948)."""
    ports = struct.unpack_from(">HH", packet, 20)
    return 500 in ports or (4500 in ports and packet[28:32] == bytes(4))


def test_ikev2_without_nat_is_protocol_50_on_the_wire(tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_nodes(PLAN, ["gw", "pc"], tmp_path)
        await boot(nodes.values())
        gw, pc = nodes["gw"], nodes["pc"]
        made = issue((*CERTIFICATES, *USERS))
        await start_gateway(gw, "tests.rigs.unfenced_gateway", made["gw-server"])
        await ask(gw, "PUT", "/gateway", document(made["root"]))
        async with watching({"net": nodes["net"]}, lambda _: True) as seen:
            connection = await (await client(pc, gw, made["alice"])).connect()
            assert connection.datapath == "kernel ESP"
            ping = await pc.run(["ping", "-n", "-c", "3", "-I", connection.address, PRIVATE])
        assert ping.code == 0, ping.output
        ends = {IPv4Address(CLIENT).packed, IPv4Address(PUBLIC).packed}
        between = [one.packet for one in seen if {one.source, one.target} == ends]
        assert {packet[9] for packet in between} == {UDP, ESP}
        in_udp = [packet for packet in between if packet[9] == UDP and not is_ike(packet)]
        assert not in_udp, "the tunnel itself"
        inside = IPv4Address(connection.address).packed
        assert not [one for one in seen if inside in (one.source, one.target)], "in the clear"

    isolated(there)
