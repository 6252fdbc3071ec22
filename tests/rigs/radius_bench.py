"""A RADIUS server and a gateway that asks it, on one LAN without a VPN."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.nodes.base import Completed
from lab.nodes.namespace import NamespaceNode
from lab.pki.authority import Credential, issue
from lab.pki.revocation import revocation_list
from lab.runtime.network import build_network
from lab.topology.planning.plan import Bridge, Cable, CertificatePlan, End, NodePlan, Plan
from radius.freeradius_instance import Authority, Client, Tls
from tests.rigs.isolated import isolated

GATEWAY, SERVER, SECOND, CONTROLLER = (f"192.168.50.{n}" for n in (4, 10, 11, 5))
ADDRESSES = {"gw": GATEWAY, "nps1": SERVER, "nps2": SECOND, "dc1": CONTROLLER}
SECRET = "lab-secret"
CLIENTS = (Client("192.168.50.0/28", SECRET),)


def plan(addresses: Mapping[str, str]) -> Plan:
    """One LAN with these computers."""
    return Plan(
        "radius-bench",
        "",
        nodes=(
            NodePlan("switch", "internet", bridges=(Bridge("lan", ("192.168.50.1/24",)),)),
            *(NodePlan(name, "radius") for name in addresses),
        ),
        links=tuple(
            Cable(End("switch", f"p{n}", bridge="lan"), End(name, "eth0", (f"{address}/24",)))
            for n, (name, address) in enumerate(addresses.items())
        ),
        certificates=(),
        gateways=(),
        clients=(),
        steps=(),
    )


CERTIFICATES = (
    CertificatePlan("public-root", "Public Root", None, "root"),
    CertificatePlan("server", "nps1.corp.test", "public-root", "server"),
    CertificatePlan("users", "Corp Users", None, "root"),
    CertificatePlan("alice", "alice", "users", "client"),
    CertificatePlan("bob", "bob", "users", "client"),
    CertificatePlan("others", "Other Users", None, "root"),
    CertificatePlan("mallory", "alice", "others", "client"),
)


@dataclass
class Bench:
    """What a test gets."""

    nodes: dict[str, NamespaceNode]
    credentials: dict[str, Credential]
    addresses: Mapping[str, str]

    @property
    def tls(self) -> Tls:
        """The server's certificate."""
        server = self.credentials["server"]
        return Tls(server.chain_pem, server.key_pem)

    def authority(self, *revoked: str) -> Authority:
        """The users' authority, with these certificates revoked."""
        users = self.credentials["users"]
        gone = [self.credentials[name] for name in revoked]
        return Authority(users.certificate_pem, revocation_list(users, gone))

    async def eapol_test(self, network: str, limit: float = 5) -> Completed:
        """wpa_supplicant's RADIUS client, at the gateway; `network`: its settings."""
        argv = await self.eapol_argv(network, SERVER, SECRET)
        return await self.nodes["gw"].run([*argv, "-t", f"{limit:g}"], limit=limit + 5)

    async def eapol_argv(self, network: str, server: str, secret: str) -> list[str]:
        """Write eapol_test's files and return its command line."""
        gw = self.nodes["gw"]
        await gw.write("/run/root.pem", self.credentials["public-root"].root_pem)
        config = f"network={{\n key_mgmt=IEEE8021X\n eapol_flags=0\n{network}\n}}\n"
        await gw.write("/run/eapol.conf", config, 0o600)
        return ["eapol_test", "-n", "-c", "/run/eapol.conf", "-a", server, "-s", secret,
                "-A", GATEWAY]  # fmt: skip


def on_a_bench(
    logs: Path,
    test: Callable[[Bench], Awaitable[None]],
    addresses: Mapping[str, str] = ADDRESSES,
) -> None:
    """Run a test in a network of these computers."""

    async def there() -> None:
        nodes = await build_network(plan(addresses), logs)
        credentials = await asyncio.to_thread(issue, CERTIFICATES)
        await test(Bench(dict(nodes), credentials, addresses))

    isolated(there)
