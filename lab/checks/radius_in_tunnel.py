"""`radiusInTunnel`: the Internet sees no RADIUS in the clear while a client dials."""

from __future__ import annotations

import json
import sys
from typing import Any

from gateway.policy.diagnostics import now as attempt_time
from lab.checks import records
from lab.choices import counted
from lab.observe.capture import capture
from lab.topology.model.steps import RadiusInTunnel
from lab.topology.planning.wiring import INTERNET
from lab.vpn_client import RefusedError
from lab.world import Outcome, World

LISTED = 5
"""Packets quoted in the outcome."""


async def radius_in_tunnel(step: RadiusInTunnel, world: World) -> Outcome:
    """Dial again; a RADIUS server must decide, and the Internet's router must see packets of the
    tunnel and no RADIUS."""
    client = world.clients[step.radiusInTunnel]
    internet = world.nodes[INTERNET]
    path = internet.run_directory / f"radius-{client.name}.pcap"
    began = attempt_time()
    async with capture(internet, path):
        try:
            await client.dial()
            result = "connected"
            record = await records.of_session(client, "connected")
        except RefusedError as error:
            result = f"refused ({error.reason})"
            record = await records.refusal(client, error.protocol, began)
    if record is None or not record["radiusServer"]:
        return Outcome(held=False, detail=f"{result}, but no RADIUS server decided that")
    gateways = {name: world.addresses[name] for name in (client.own_gateway.name,)}
    sites = [s for s, plan in world.plan.connected_sites.items() if plan.name in gateways]
    arguments = [
        *(word for server in world.plan.radius_servers for word in ("--server", server)),
        *(word for name in (*gateways, *sites) for word in ("--device", world.addresses[name])),
        *("--user", client.user),
    ]
    argv = [sys.executable, "-m", "lab.observe.radius_packets", f"/run/{path.name}", *arguments]
    done = await internet.run(argv)
    if done.code:
        return Outcome(held=False, detail=f"the capture could not be read: {done.stderr.strip()}")
    return _judged(json.loads(done.stdout), result)


def _judged(found: dict[str, Any], dialled: str) -> Outcome:
    seen: list[str] = found["seen"]
    if seen:
        listed = "; ".join(seen[:LISTED])
        detail = f"{len(seen)} of {counted(found['packets'], 'packet')} in the clear: {listed}"
        return Outcome(held=False, detail=detail, evidence=found)
    if not found["tunnelled"]:
        detail = f"{dialled}, but no packet passed between gateway and site"
        return Outcome(held=False, detail=detail, evidence=found)
    counts = f"{counted(found['packets'], 'packet')}, {found['tunnelled']} of the tunnel"
    return Outcome(held=True, detail=f"{dialled}; none of it in {counts}", evidence=found)
