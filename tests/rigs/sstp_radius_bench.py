"""The gateway program with SSTP, and a RADIUS server beside it in its VNet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.ppp.config import ClientConfig, Method
from lab.pki.revocation import revocation_list
from lab.roles.radius_server import start_radius
from lab.topology.planning.plan import Cable, CertificatePlan, End, NodePlan, Plan
from radius.freeradius_instance import Authority, Client, Instance, Tls
from tests.rigs import gateway_bench
from tests.rigs.gateway_bench import PLAN, PRIVATE, client
from tests.rigs.sstp_caller import with_certificate

SERVER, SECOND = "10.1.255.10", "10.1.255.11"
NODES = {SERVER: "nps1", SECOND: "nps2"}
SECRET = "lab-secret"
PASSWORD = "Pa55w0rd! $x"
USERS = {"alice": PASSWORD, "bob": "b"}
ALICE = ClientConfig("alice", PASSWORD)

BENCH_PLAN = replace(
    PLAN,
    nodes=(*PLAN.nodes, *(NodePlan(node, "host") for node in NODES.values())),
    links=(
        *PLAN.links,
        *(
            Cable(End("gw", node, (f"{PRIVATE}/32",)), End(node, "eth0", (f"{address}/24",)))
            for address, node in NODES.items()
        ),
    ),
)
CERTIFICATES = (
    CertificatePlan("radius-root", "RADIUS Root", None, "root"),
    CertificatePlan("radius", "nps1.corp.test", "radius-root", "server"),
    CertificatePlan("users", "Corp Users", None, "root"),
    client("alice", issuer="users"),
    client("bob", issuer="users"),
    client("eve"),
)


@dataclass
class Bench(gateway_bench.Bench):
    """What a test gets."""

    def radius(self, *protocols: str, **more: Any) -> dict[str, Any]:
        """A document with RADIUS."""
        whole: dict[str, Any] = {"vpnAuthenticationTypes": ["Radius"]} | more
        if "radiusServers" not in more:
            one = {"radiusServerAddress": SERVER, "radiusServerSecret": SECRET}
            whole = one | whole
        return self.document(*(protocols or ("SSTP",)), roots=(), **whole)

    def instance(self, *revoked: str, address: str = SERVER, **more: Any) -> Instance:
        """A server that knows alice and bob by password, and the users' certificates."""
        own, users = self.credentials["radius"], self.credentials["users"]
        gone = [self.credentials[name] for name in revoked]
        whole = Instance(
            address,
            (Client("10.1.255.0/27", SECRET),),
            USERS,
            tls=Tls(own.chain_pem, own.key_pem),
            authority=Authority(users.certificate_pem, revocation_list(users, gone)),
        )
        return replace(whole, **more)

    async def serve(self, *revoked: str, address: str = SERVER, **more: Any) -> Any:
        """Start the server."""
        instance = self.instance(*revoked, address=address, **more)
        return await start_radius(self.nodes[NODES[address]], instance)

    def certificate(self, name: str) -> ClientConfig:
        """A client that authenticates to the RADIUS server with this certificate."""
        root = self.credentials["radius-root"].certificate
        return with_certificate(self.credentials[name], root)


def typed(user: str, password: str, *methods: Method) -> ClientConfig:
    """A name and a password."""
    return ClientConfig(user, password, methods=methods or ("EAP", "MS-CHAPv2"))


def on_a_gateway(
    logs: Path, test: Callable[[Bench], Awaitable[None]], plan: Plan = BENCH_PLAN
) -> None:
    """Run a test; no document is put and no server runs yet."""

    async def there(bench: gateway_bench.Bench) -> None:
        # An interface a server, each of its own: the gateway has one address for all.
        for address, node in NODES.items():
            route = ["ip", "route", "add", f"{address}/32", "dev", node, "src", PRIVATE]
            assert (await bench.nodes["gw"].run(route)).code == 0
        await test(Bench(bench.nodes, bench.gateway, bench.credentials))

    gateway_bench.on_a_gateway(logs, there, *CERTIFICATES, plan=plan)
