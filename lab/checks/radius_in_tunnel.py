"""`radiusInTunnel`: what the Internet sees of RADIUS while a client dials."""

from __future__ import annotations

import json
import sys
from typing import Any

from lab.observe.capture import capture
from lab.topology.model.steps import RadiusInTunnel
from lab.topology.planning.wiring import INTERNET
from lab.vpn_client import RefusedError
from lab.world import Outcome, World

LISTED = 5
"""Packets named in the outcome."""


async def radius_in_tunnel(step: RadiusInTunnel, world: World) -> Outcome:
    """Dial anew; the Internet's router must see the tunnel's packets and no RADIUS."""
    client = world.clients[step.radiusInTunnel]
    internet = world.nodes[INTERNET]
    path = internet.run_directory / f"radius-{client.name}.pcap"
    async with capture(internet, path):
        try:
            await client.dial()
            told = "connected"
        except RefusedError as error:
            told = f"refused ({error.reason})"
    gateways = {name: world.addresses[name] for name in (client.gateway.name,)}
    sites = [s for s, plan in world.plan.connected_sites.items() if plan.name in gateways]
    words = [
        *(word for server in world.plan.radius_servers for word in ("--server", server)),
        *(word for name in (*gateways, *sites) for word in ("--device", world.addresses[name])),
        *("--user", client.user),
    ]
    argv = [sys.executable, "-m", "lab.observe.radius_packets", f"/run/{path.name}", *words]
    looked = await internet.run(argv)
    if looked.code:
        said = looked.stderr.strip()
        return Outcome(held=False, detail=f"the capture could not be read: {said}")
    return _judged(json.loads(looked.stdout), told)


def _judged(found: dict[str, Any], told: str) -> Outcome:
    seen: list[str] = found["seen"]
    if seen:
        listed = "; ".join(seen[:LISTED])
        detail = f"{len(seen)} of {found['packets']} packets in the clear: {listed}"
        return Outcome(held=False, detail=detail, evidence=found)
    if not found["tunnelled"]:
        detail = f"{told}, but nothing passed between gateway and site"
        return Outcome(held=False, detail=detail, evidence=found)
    detail = f"{told}; none of it in {found['packets']} packets, {found['tunnelled']} of the tunnel"
    return Outcome(held=True, detail=detail, evidence=found)
