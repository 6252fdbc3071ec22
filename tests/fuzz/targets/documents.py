"""What an operator writes: topologies, certificate files, Azure's documents."""

from __future__ import annotations

import base64
import json
import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from vici.protocol import Message

from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.documents import from_json, parse
from gateway.arm.resource import VirtualNetworkGateway
from gateway.common.errors import GatewayError, InvalidDocumentError
from gateway.control import _Disconnect, _VpnProfile
from gateway.engine import Settings
from gateway.ikev2 import config as ikev2_config
from gateway.openvpn import config as openvpn_config
from gateway.policy.pool import divide
from gateway.policy.refusals import BoundedLog
from gateway.policy.trust import load_public_cert_data
from gateway.reconcile import Gateway, _networks
from gateway.s2s import config as s2s_config
from lab.pki.authority import Credential
from lab.topology.load import TopologyFile, load_bytes
from lab.topology.planning.describe import describe
from lab.topology.planning.plan import Plan
from lab.topology.reading.identities import Files, read_identity
from lab.topology.reading.problems import LoadError
from tests.fuzz.engine import SOURCE, Target
from tests.fuzz.mutations import join, of_bytes, of_json, of_steps, of_text, split
from tests.fuzz.targets.gateways import engine_context
from tests.fuzz.targets.keys import authority, der, pem
from tests.rigs.azure_documents import SHAPES, get
from tests.rigs.fences import RecordingFence
from tests.rigs.made_up import Maker
from tests.rigs.written import written

# ---------------------------------------------------------------------------------- topologies

TOPOLOGIES = SOURCE / "topologies"


def topology_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(TOPOLOGIES.glob("*.yaml"))]


def topology(data: bytes) -> None:
    """A plan, or everything that is wrong, each with its place."""
    try:
        found = load_bytes(data, "x.yaml", TOPOLOGIES)
    except LoadError as error:
        told(*(problem.message for problem in error.problems), str(error))
        return
    TopologyFile(TOPOLOGIES / "x.yaml", found).plan()


def told(*words: str) -> None:
    """A refusal says something."""
    assert all(words)


def made_up_seeds() -> list[bytes]:
    return [bytes((number,)) for number in range(32)]


def made_up(data: bytes) -> int:
    """Everything that is accepted has a plan, and what daemons are to read can be written. Whether
    these take it is in tests/e2e/test_made_up.py."""
    text = Maker(int.from_bytes(data[:8])).text().encode()
    try:
        plan = TopologyFile(TOPOLOGIES / "x.yaml", load_bytes(text, "x.yaml", TOPOLOGIES)).plan()
    except LoadError as error:
        told(*(problem.message for problem in error.problems), str(error))
        return len(error.problems)
    describe(plan)
    return -sum(len(one.files) for one in written(plan, dict.fromkeys(_certificates(plan), _one())))


def _certificates(plan: Plan) -> list[str]:
    return [certificate.name for certificate in plan.certificates]


@cache
def _one() -> Credential:
    """The same for all: nobody looks at it here."""
    one = authority("rsa")
    assert isinstance(one.key, RSAPrivateKey)
    return Credential("root", one.certificate, one.key)


# --------------------------------------------------------------------------- files of keys


def file_seeds() -> list[bytes]:
    items = [list(pem(kind)) for kind in ("ec", "rsa")]
    return [*(one for item in items for one in item), *map(b"".join, items)]


@cache
def _file() -> Path:
    return Path(tempfile.mkdtemp(), "file")


def key_file(data: bytes) -> None:
    """The identity in it, or what is wrong with it."""
    _file().write_bytes(data)
    for password in (None, "secret"):
        files = Files(_file().parent, _file().name, password=password)
        identity, flaws = read_identity(files, needs_key=True)
        assert (identity is None) == bool(flaws)
        for flaw in flaws:
            told(flaw.message, flaw.remedy)


# -------------------------------------------------------------------------- Azure's documents


def gateway_seeds() -> list[bytes]:
    data = base64.b64encode(der(authority("rsa"))).decode()
    root = {"name": "root", "properties": {"publicCertData": data}}
    revoked = {"name": "carol", "properties": {"thumbprint": "ab" * 20}}
    certificates = {
        "vpnClientAddressPool": {"addressPrefixes": ["172.16.201.0/24", "172.16.9.0/29"]},
        "vpnClientProtocols": ["IkeV2", "OpenVPN"],
        "vpnAuthenticationTypes": ["Certificate"],
        "vpnClientRootCertificates": [root],
        "vpnClientRevokedCertificates": [revoked],
    }
    servers = [{"radiusServerAddress": f"10.1.1.{n}", "radiusServerScore": n,
                "radiusServerSecret": "secret"} for n in (4, 5)]  # fmt: skip
    radius = {
        "vpnClientAddressPool": {"addressPrefixes": ["172.16.201.0/24"]},
        "vpnClientProtocols": ["IkeV2", "SSTP"],
        "vpnAuthenticationTypes": ["Radius"],
    }
    one = {"radiusServerAddress": "10.1.1.4", "radiusServerSecret": "secret"}
    subnet = {"id": "/subscriptions/s/virtualNetworks/v/subnets/GatewaySubnet"}
    configuration = {"name": "default", "properties": {"subnet": subnet}}

    def document(client: dict[str, Any] | None, **properties: Any) -> bytes:
        whole = {"sku": {"name": "VpnGw1", "tier": "VpnGw1"}, **properties}
        if client:
            whole["vpnClientConfiguration"] = client
        return json.dumps({"name": "gw", "properties": whole}).encode()

    return [
        document(certificates, customRoutes={"addressPrefixes": ["10.2.0.0/16"]},
                 ipConfigurations=[configuration], gatewayType="Vpn", vpnType="RouteBased"),
        document(radius | {"radiusServers": servers}),
        document(radius | one, enableBgp=False, activeActive=False),
        document(None, provisioningState="Succeeded"),
        *(json.dumps(shape(get(vpnClientRootCertificates=[root])) | {"name": "gw"}).encode()
          for shape in SHAPES.values()),
        b"[" * 20_000,
        b"4" * 5_000,
        json.dumps({"vpnConnectionIds": ["a", "b"]}).encode(),
        json.dumps({"processorArchitecture": "Amd64", "authenticationMethod": "EAPTLS",
                    "radiusServerAuthCertificate": data}).encode(),
    ]  # fmt: skip


def refused(error: GatewayError) -> None:
    """As ARM refuses."""
    assert error.status < 500
    json.dumps(error.document())


def gateway_document(data: bytes) -> None:
    """Refused with reasons; or it is what GET returns, and the daemons can be told of it."""
    around = engine_context()
    gateway = Gateway(around.placement, Path("/nowhere"), BoundedLog(), RecordingFence())
    try:
        read = from_json(data)
    except InvalidDocumentError as error:
        refused(error)
        return
    for body in (_VpnProfile, _Disconnect):
        try:
            taken = parse(body, read)
            if isinstance(taken, _VpnProfile):
                assert isinstance(taken.radius_root, bytes)
        except InvalidDocumentError as error:
            refused(error)
    try:
        resource = gateway._read(read)
    except InvalidDocumentError as error:
        refused(error)
        return
    shown = json.loads(json.dumps(resource.document()))
    again = parse(VirtualNetworkGateway, shown).with_secrets_of(resource)
    assert again.document() == resource.document()
    _told(gateway, resource)


def _told(gateway: Gateway, resource: VirtualNetworkGateway) -> None:
    gateway._resource = resource
    client = gateway.configuration
    roots = tuple(
        load_public_cert_data(root.properties.publicCertData)
        for root in client.vpnClientRootCertificates
    )
    pool = _networks(client.vpnClientAddressPool.addressPrefixes)
    for protocol, part in divide(pool, client.vpnClientProtocols).items():
        settings = Settings(roots, part, gateway.routes, (), "Radius" in (
            client.vpnAuthenticationTypes))  # fmt: skip
        if protocol == "OpenVPN":
            text = openvpn_config.server(gateway.placement, part, Path("/nowhere"))
            assert text.isascii()
            lines = openvpn_config.client(settings, openvpn_config.gateway_address(part[0]))
            assert all(line.isprintable() for line in lines)
        if protocol == "IkeV2":
            told = ikev2_config.connection(gateway.placement, settings, b"", encapsulate=True)
            Message.serialize({ikev2_config.CONNECTION: told})


def site_seeds() -> list[bytes]:
    def local(name: str, address: str, prefix: str) -> dict[str, Any]:
        space = {"addressPrefixes": [prefix]}
        properties = {"gatewayIpAddress": address, "localNetworkAddressSpace": space}
        return {"name": name, "properties": properties}

    def connection(name: str, there: str, **more: Any) -> dict[str, Any]:
        ends = {
            "virtualNetworkGateway1": {"id": "/x/gw"},
            "localNetworkGateway2": {"id": f"/x/{there}"},
        }
        kind = {"connectionType": "IPsec", "connectionProtocol": "IKEv2", "sharedKey": "abc"}
        return {"name": name, "properties": ends | kind | more}

    office, home = local("office", "198.51.100.2", "192.168.50.0/24"), local(
        "home", "198.51.100.3", "192.168.60.0/24")  # fmt: skip
    to_office = connection("to-office", "office", dpdTimeoutSeconds=9)
    to_home = connection("to-home", "home", connectionMode="ResponderOnly", enableBgp=False)
    documents = [(0, office), (1, to_office), (0, home), (1, to_home), (3, to_home), (2, home),
                 (1, to_office), (2, office)]  # fmt: skip
    return [
        join([(kind, json.dumps(document).encode()) for kind, document in documents[:count]])
        for count in (2, 4, 8)
    ]


def sites(data: bytes) -> None:
    """Local network gateways and connections in any order; charon can be told of what is taken."""
    around = engine_context()
    gateway = Gateway(around.placement, Path("/nowhere"), BoundedLog(), RecordingFence())
    gateway._resource = parse(
        VirtualNetworkGateway, {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}}}
    )
    sites = gateway.site_to_site
    for kind, content in split(data):
        try:
            read = from_json(content)
            name = read.get("name") if isinstance(read, dict) else ""
            name = name if isinstance(name, str) else ""
            if kind == 0:
                sites.take_local_gateway(name, read, gateway.resource)
            elif kind == 1:
                sites.take_connection(name, read, gateway.resource)
            else:
                sites.forget("localNetworkGateways" if kind == 2 else "connections", name)
        except GatewayError as error:
            refused(error)
    for local in sites.local_gateways():
        assert parse(LocalNetworkGateway, json.loads(json.dumps(local))).document() == local
    for connection in sites._connections.values():
        shown = json.loads(json.dumps(connection.document()))
        assert parse(Connection, shown).document() == connection.document()
        tunnel = sites._tunnel(connection, (), ())
        public = gateway.placement.publicIPAddress
        told = s2s_config.connection(tunnel, public, userspace=True)
        Message.serialize({tunnel.connection: told})
        Message.serialize(s2s_config.shared_key(tunnel, public))
        assert tunnel.connection.isprintable(), "it goes into a log"


def mutate_file(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return (of_bytes if dice.randrange(2) else of_text)(dice, data, others)


TARGETS = (
    Target("topology", topology_seeds, topology, ("lab/topology/",), of_text, quick=40, cpu=3),
    Target("made-up", made_up_seeds, made_up, ("lab/topology/", "radius/"), quick=60, cpu=3),
    Target("key-files", file_seeds, key_file, ("lab/topology/reading/identities.py",), mutate_file,
           quick=300, cpu=0.5),  # OpenSSL tests the primes of an RSA key: near 0.1 s by itself
    Target("arm-gateway", gateway_seeds, gateway_document,
           ("gateway/arm/resource.py", "gateway/arm/documents.py", "gateway/arm/rules/",
            "gateway/reconcile.py",
            "gateway/control.py", "gateway/policy/pool.py", "gateway/ikev2/", "gateway/openvpn/",
            "gateway/sstp/", "gateway/s2s/"),
           of_json, quick=300, cpu=0.5),
    Target("arm-sites", site_seeds, sites,
           ("gateway/arm/connections.py", "gateway/arm/documents.py", "gateway/arm/rules/",
            "gateway/s2s/sites.py", "gateway/s2s/config.py"),
           of_steps(4, content=of_json), quick=300, cpu=0.5),
)  # fmt: skip
