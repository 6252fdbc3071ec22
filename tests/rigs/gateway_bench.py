"""The gateway program alone: one gateway, client computers, no VNet behind it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.arm.placement import Placement
from lab.clients.computer import Computer
from lab.kernel.processes import chosen
from lab.nodes.base import Entrance, Node
from lab.pki.authority import Credential, issue
from lab.roles.gateway import UnixGateway, start_gateway
from lab.runtime.kernels import boot, build_nodes, lacking
from lab.topology.model.persona import Os, client_system
from lab.topology.planning.plan import (
    Cable,
    CertificatePlan,
    ClientPlan,
    End,
    NodePlan,
    Plan,
    Route,
)
from tests.rigs import placements
from tests.rigs.isolated import isolated
from tests.rigs.placements import CABLE, INTERNET, certificates_of, gateway_node, placement

GUID = "6f1c0d0e-0000-4000-8000-00000000000d"
FQDN = f"azuregateway-{GUID}-0123456789ab.vpn.azure.com"
PUBLIC, PRIVATE = placements.PUBLIC, placements.PRIVATE
COMPUTERS = ("pc1", "pc2", "pc3")


def address_of(computer: str) -> str:
    """A computer's address, which no router translates."""
    return f"192.0.2.{4 * COMPUTERS.index(computer) + 2}"


PLAN = Plan(
    "gateway-bench",
    "",
    nodes=(
        gateway_node(),
        INTERNET,
        *(
            NodePlan(
                name,
                "client",
                routes=(Route("default", f"192.0.2.{4 * number + 1}"),),
                hosts=((PUBLIC, (FQDN,)),),
            )
            for number, name in enumerate(COMPUTERS)
        ),
    ),
    links=(
        CABLE,
        *(
            Cable(
                End("net", name, (f"192.0.2.{4 * number + 1}/30",)),
                End(name, "eth0", (f"{address_of(name)}/30",)),
            )
            for number, name in enumerate(COMPUTERS)
        ),
    ),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)

PLACEMENT = placement(GUID, FQDN)

ROOT = CertificatePlan("root", "Contoso Root", None, "root")


def client(name: str, **options: Any) -> CertificatePlan:
    """A client certificate, by default issued by the root."""
    return CertificatePlan(
        name, options.pop("subject", name), options.pop("issuer", "root"), "client", **options
    )


@dataclass
class Bench:
    """What a test gets."""

    nodes: dict[str, Node]
    gateway: UnixGateway
    credentials: dict[str, Credential]

    def document(self, *protocols: str, **client_configuration: Any) -> dict[str, Any]:
        """A document with the given protocols; `roots` and `revoked` name certificates."""
        roots = client_configuration.pop("roots", ("root",))
        revoked = client_configuration.pop("revoked", ())
        pool = client_configuration.pop("pool", "172.16.201.0/24")
        configuration = {
            "vpnClientAddressPool": {"addressPrefixes": [pool]},
            "vpnClientProtocols": list(protocols or ("IkeV2", "OpenVPN")),
            "vpnAuthenticationTypes": ["Certificate"],
            "vpnClientRootCertificates": [
                {
                    "name": name,
                    "properties": {"publicCertData": self.credentials[name].public_cert_data},
                }
                for name in roots
            ],
            "vpnClientRevokedCertificates": [
                {"name": name, "properties": {"thumbprint": self.credentials[name].thumbprint}}
                for name in revoked
            ],
        } | client_configuration
        properties = {"sku": {"name": "VpnGw1"}, "vpnClientConfiguration": configuration}
        return {"name": "gw", "properties": properties}

    def computer(self, node: str, certificate: str, os: Os = "linux") -> Computer:
        """A computer whose user has this certificate; macos sends it plainly, others EAP-TLS."""
        plan = ClientPlan(
            certificate, node, client_system(os), "gw", "net", ("IkeV2", "OpenVPN"), certificate
        )
        return Computer(
            plan,
            node=self.nodes[node],
            access=self.nodes["net"],
            address=address_of(node),
            gateway=self.gateway,
            credential=self.credentials[certificate],
        )

    async def engine(self, protocol: str) -> dict[str, Any]:
        """The engine's part of GET /runtime; the daemon's `pid` by our numbers."""
        engines = (await self.gateway.runtime())["engines"]
        found: dict[str, Any] = next(row for row in engines if row["protocol"] == protocol)
        if found["pid"]:
            found["pid"] = outside(found["pid"], await self.nodes["gw"].entrance())
        return found

    async def state(self) -> str:
        """The gateway's provisioningState."""
        return str((await self.gateway.get())["properties"]["provisioningState"])

    async def records(self, event: str) -> list[dict[str, Any]]:
        """Log records of one event."""
        return [record for record in await self.gateway.log() if record["event"] == event]


def outside(number: int, way: Entrance) -> int:
    """By our numbers, the process that has this one in the PID namespace of a node; ValueError if
    it is gone."""
    if way.kind == "agent":
        for descriptor in way.descriptors:
            os.close(descriptor)
        return number
    theirs = os.fstat(way.descriptors[3]).st_ino

    def is_it(pid: int) -> bool:
        words = Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].split("\n")[0]
        inode = Path(f"/proc/{pid}/ns/pid").stat().st_ino
        return int(words.split()[-1]) == number and inode == theirs

    (pid,) = chosen(is_it)
    return pid


def on_a_gateway(
    logs: Path,
    test: Callable[[Bench], Awaitable[None]],
    *certificates: CertificatePlan,
    plan: Plan = PLAN,
    **placed: Any,
) -> None:
    """Run a test with the program started and no document put yet; `placed` is added to its
    placement."""
    plans = (*certificates_of(f"{GUID}.vpn.azure.com", FQDN), ROOT, *certificates)

    async def there() -> None:
        nodes = await build_nodes(plan, lacking(plan), logs)
        await boot(nodes.values())
        credentials = issue(plans)
        placement = Placement.model_validate(PLACEMENT | placed)
        gateway = await start_gateway(nodes["gw"], placement, credentials["gw-server"])
        await test(Bench(nodes, gateway, credentials))

    isolated(there)
