"""`tunnel`: the status of a site-to-site tunnel at its gateway."""

from __future__ import annotations

from typing import Any

from lab.topology.model.steps import Tunnel
from lab.waiting import wait_until
from lab.world import Outcome, World


async def tunnel(step: Tunnel, world: World) -> Outcome:
    """The connection has the status within the time; the outcome has the device's state too."""
    gateway = world.gateways[world.plan.gateway_of_site(step.tunnel)]
    seen: dict[str, Any] = {}

    async def reached() -> bool:
        seen.update((await gateway.connection(step.tunnel))["properties"])
        return bool(seen["connectionStatus"] == step.is_)

    try:
        await wait_until(f"the tunnel of {step.tunnel} is {step.is_}", step.within, reached)
    except TimeoutError:
        detail = f"it is {seen.get('connectionStatus', 'unknown')}"
        return Outcome(
            held=False,
            detail=f"{detail}: {await _why(step.tunnel, world)}",
            evidence=_words(await world.devices[step.tunnel].state()),
        )
    why = await _why(step.tunnel, world, step.is_)
    if step.because is not None and step.because not in why:
        return Outcome(held=False, detail=f"{step.is_}, but because: {why}")
    device = await world.devices[step.tunnel].state()
    counted = f"in {seen['ingressBytesTransferred']}, out {seen['egressBytesTransferred']} bytes"
    detail = f"{step.is_}, {counted}; the device: {device['state']}"
    return Outcome(held=True, detail=f"{detail}; {why}" if why else detail, evidence=_words(device))


def _words(device: dict[str, Any]) -> dict[str, Any]:
    """What the device wrote down about proposals that do not match, if anything."""
    return {"the device's log": device["proposals"]} if device.get("proposals") else {}


async def _why(site: str, world: World, status: str = "") -> str:
    """The latest reason in the gateway's log; empty if it is another status's.
    There is none for Connecting."""
    gateway = world.gateways[world.plan.gateway_of_site(site)]
    own = [row for row in await gateway.tunnel_log() if row["connection"] == site]
    fits = own and status in ("", "Connecting", own[-1]["status"])
    return str(own[-1]["message"]) if fits else ""
