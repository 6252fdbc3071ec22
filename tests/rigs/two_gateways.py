"""Two gateways in one lab, `gw` and `gw2`, because one cannot have SSTP and OpenVPN."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from gateway.arm.placement import Placement
from lab.pki.authority import sign
from lab.pki.stock import fresh_key
from lab.roles.gateway import start_gateway
from lab.topology.planning.plan import (
    Cable,
    CertificatePlan,
    End,
    NodePlan,
    Plan,
    Route,
)
from tests.rigs.gateway_bench import (
    COMPUTERS,
    FQDN,
    GUID,
    PLACEMENT,
    PLAN,
    PUBLIC,
    Bench,
    on_a_gateway,
)

PUBLIC_2, PRIVATE_2 = "203.0.113.6", "10.1.255.5"
GUID_2 = GUID[:-1] + "e"
FQDN_2 = FQDN.replace(GUID, GUID_2)
BAD = ("bad1", "bad2", "bad3")
_GW2 = NodePlan(
    "gw2",
    "gateway",
    loopback=(f"{PRIVATE_2}/32",),
    routes=(Route("default", "203.0.113.5"),),
    forwarding=True,
)


def _plan() -> Plan:
    hosts = ((PUBLIC, (FQDN,)), (PUBLIC_2, (FQDN_2,)))
    own = tuple(
        replace(node, hosts=hosts) if node.name in COMPUTERS else node for node in PLAN.nodes
    )
    number = {name: 4 * (len(COMPUTERS) + at) for at, name in enumerate(BAD)}
    bad = tuple(
        NodePlan(name, "client", routes=(Route("default", f"192.0.2.{at + 1}"),), hosts=hosts)
        for name, at in number.items()
    )
    cables = (
        Cable(End("net", "gw2", ("203.0.113.5/30",)), End("gw2", "wan", (f"{PUBLIC_2}/30",))),
        *(
            Cable(
                End("net", name, (f"192.0.2.{at + 1}/30",)),
                End(name, "eth0", (f"192.0.2.{at + 2}/30",)),
            )
            for name, at in number.items()
        ),
    )
    return replace(PLAN, nodes=(*own, _GW2, *bad), links=(*PLAN.links, *cables))


def on_two_gateways(
    logs: Path, test: Callable[[Bench, Bench], Awaitable[None]], *certificates: CertificatePlan
) -> None:
    """As on_a_gateway, with `gw` and `gw2`."""
    names = (f"{GUID_2}.vpn.azure.com", FQDN_2)
    server = CertificatePlan("gw2-server", names[0], "public-root", "server", dns_names=names)
    placement = PLACEMENT | {
        "gatewayId": GUID_2,
        "fqdn": FQDN_2,
        "publicIPAddress": PUBLIC_2,
        "privateIPAddress": PRIVATE_2,
    }

    async def both(bench: Bench) -> None:
        own = sign(server, fresh_key(), bench.credentials["public-root"])
        gateway = await start_gateway(bench.nodes["gw2"], Placement.model_validate(placement), own)
        await test(bench, Bench(bench.nodes, gateway, bench.credentials))

    on_a_gateway(logs, both, *certificates, plan=_plan())
