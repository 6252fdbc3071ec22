"""`tunnel`: the status of a site-to-site or VNet-to-VNet tunnel at its gateways."""

from __future__ import annotations

from typing import Any

from lab.topology.model.steps import Tunnel
from lab.waiting import wait_until
from lab.world import OFF, Outcome, World


async def tunnel(step: Tunnel, world: World) -> Outcome:
    """The connection has the status within the time at every gateway that has it; the outcome has
    the state of a site's device, too."""
    name = step.tunnel
    names = world.plan.gateways_of(name)
    gateways = [world.gateways[gateway] for gateway in names]
    seen: list[dict[str, Any]] = []

    async def reached() -> bool:
        seen[:] = [(await gateway.connection(name))["properties"] for gateway in gateways]
        return all(row["connectionStatus"] == step.is_ for row in seen)

    device: dict[str, Any] = {}
    try:
        await wait_until(f"the tunnel of {name} is {step.is_}", step.within, reached)
    except TimeoutError:
        statuses = ", ".join(row["connectionStatus"] for row in seen) or "unknown"
        if name in world.devices:
            device = await world.devices[name].state()
        try:
            for gateway in gateways:
                await gateway.exists()
        except OFF:
            return Outcome(held=False, detail=f"no status: {' or '.join(names)} is switched off")
        why = await _why(name, world)
        return Outcome(held=False, detail=f"it is {statuses}: {why}", evidence=_words(device))
    why = await _why(name, world, step.is_)
    if step.because is not None and step.because not in why:
        return Outcome(held=False, detail=f"{step.is_}, but because: {why}")
    detail = ", ".join([step.is_, *(_counted(row) for row in seen)])
    if name in world.devices:
        device = await world.devices[name].state()
        detail += f"; the device: {device['state']}"
    return Outcome(held=True, detail=f"{detail}; {why}" if why else detail, evidence=_words(device))


def _counted(row: dict[str, Any]) -> str:
    return f"in {row['ingressBytesTransferred']}, out {row['egressBytesTransferred']} bytes"


def _words(device: dict[str, Any]) -> dict[str, Any]:
    """What the device wrote down about proposals that do not match, if anything."""
    return {"the device's log": device["proposals"]} if device.get("proposals") else {}


async def _why(connection: str, world: World, status: str = "") -> str:
    """The latest reason in the gateways' logs; empty if it is another status's.
    There is none for Connecting."""
    rows = [
        row
        for gateway in world.plan.gateways_of(connection)
        for row in await world.gateways[gateway].tunnel_log()
        if row["connection"] == connection
    ]
    last = max(rows, key=lambda row: str(row["time"]), default=None)
    fits = last and status in ("", "Connecting", last["status"])
    return str(last["message"]) if last and fits else ""
