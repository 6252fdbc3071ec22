"""Actions of a gateway's operator and a client's user between checks."""

from __future__ import annotations

from typing import Any

from lab.checks import records
from lab.choices import counted
from lab.merge import merge
from lab.topology.model.steps import (
    Create,
    Delete,
    Disconnect,
    EndFault,
    Fault,
    HangUp,
    InstallUpdates,
    Reinstate,
    Restart,
    Revoke,
    TakeProfile,
    Update,
)
from lab.world import Changed, ClientComputer, GatewayHandle, Outcome, World

RUNNING = "/run/p2slab-running"
"""A file that is there until its computer restarts."""
REVOKED = "vpnClientRevokedCertificates"


async def revoke(step: Revoke, world: World) -> Outcome:
    """Add the thumbprint to the gateway's revocation list."""
    client = world.clients[step.revoke]
    name = f"{client.name}-{client.thumbprint}"
    row = {"name": name, "properties": {"thumbprint": client.thumbprint}}
    changed = await _change_revoked(client, add=[row])
    return _listed(changed, f"{client.thumbprint} is revoked", "already")


async def reinstate(step: Reinstate, world: World) -> Outcome:
    """Remove the thumbprint from the gateway's revocation list."""
    client = world.clients[step.reinstate]
    changed = await _change_revoked(client, add=[])
    return _listed(changed, f"{client.thumbprint} is no longer revoked", "nor was it")


def _listed(changed: Changed, words: str, before: str) -> Outcome:
    """`before`: that it was so before."""
    if changed.fields:
        return Outcome(held=True, detail=words, changed=changed)
    return Outcome(held=True, detail=f"{words}, {before}", idle=True)


async def _change_revoked(client: ClientComputer, add: list[dict[str, Any]]) -> Changed:
    resource = await client.gateway.get()
    rows = (resource["properties"].get("vpnClientConfiguration") or {}).get(REVOKED) or []
    others = [row for row in rows if row["properties"]["thumbprint"].upper() != client.thumbprint]
    patch = {"vpnClientConfiguration": {REVOKED: [*others, *add]}}
    return await _put(client.gateway, resource, patch)


async def _put(gateway: GatewayHandle, resource: dict[str, Any], patch: dict[str, Any]) -> Changed:
    """PUT a gateway's document, `resource` as it is, with `patch` merged into its `properties`;
    what the gateway has changed."""
    properties = merge(resource["properties"], patch)
    return Changed.between(resource, await gateway.put(resource | {"properties": properties}))


async def disconnect(step: Disconnect, world: World) -> Outcome:
    """End the client's session at the gateway."""
    client = world.clients[step.disconnect]
    row = await records.session(client)
    if row is None:
        return Outcome(held=False, detail=f"{client.name} has no session to disconnect")
    await client.gateway.disconnect([row["vpnConnectionId"]])
    return Outcome(held=True, detail=f"its session with {row['privateIpAddress']} was ended")


async def hang_up(step: HangUp, world: World) -> Outcome:
    """The user disconnects the tunnel."""
    client = world.clients[step.hangUp]
    connected = await client.connection() is not None
    await client.hang_up()
    if not connected:
        return Outcome(held=True, detail="it was not connected", idle=True)
    return Outcome(held=True, detail="hung up")


async def restart(step: Restart, world: World) -> Outcome:
    """A gateway, or a client computer, which has nothing left of before: no file of /run, no
    tunnel."""
    if step.restart in world.gateways:
        return await _restart_gateway(world.gateways[step.restart])
    client = world.clients[step.restart]
    await client.node.write(RUNNING, "")
    await client.restart()
    if (await client.node.run(["test", "-e", RUNNING])).code == 0:
        return Outcome(held=False, detail=f"{client.name} is still running")
    if left := await client.leased():
        return Outcome(held=False, detail=f"still has {', '.join(left)}")
    return Outcome(held=True, detail="restarted")


async def _restart_gateway(gateway: GatewayHandle) -> Outcome:
    before = await gateway.sessions()
    await gateway.reset()
    old = {row["vpnConnectionId"] for row in before}
    left = [row for row in await gateway.sessions() if row["vpnConnectionId"] in old]
    if left:
        return Outcome(held=False, detail=f"still there: {counted(len(left), 'session')}")
    return Outcome(held=True, detail=f"restarted; {counted(len(before), 'session')} ended")


async def install_updates(step: InstallUpdates, world: World) -> Outcome:
    """The client computer gets what it lacks, and restarts."""
    missing = await world.clients[step.installUpdates].install_updates()
    detail = ", ".join(missing) or "it had everything"
    return Outcome(held=True, detail=f"{detail}; restarted")


async def take_profile(step: TakeProfile, world: World) -> Outcome:
    """The user takes the gateway's profile of now, and keeps it."""
    client = world.clients[step.takeProfile]
    await client.take_profile()
    return Outcome(held=True, detail=f"{client.name} keeps the profile of now")


async def update(step: Update, world: World) -> Outcome:
    """Merge the step's properties into the gateway's document."""
    gateway = world.gateways[step.update]
    changed = await _put(gateway, await gateway.get(), step.properties)
    return Outcome(held=True, detail="the gateway accepted the document", changed=changed)


async def delete(step: Delete, world: World) -> Outcome:
    """Delete the gateway's connections, then the gateway."""
    gateway = world.gateways[step.delete]
    if not await gateway.exists():
        return Outcome(held=False, detail="there is no such gateway: it is deleted already")
    connections = await gateway.connections()
    for name in connections:
        await gateway.delete("connections", name)
    await gateway.delete_gateway()
    return Outcome(held=True, detail=f"deleted, with {counted(len(connections), 'connection')}")


async def create(step: Create, world: World) -> Outcome:
    """Create the gateway anew."""
    if await world.gateways[step.create].exists():
        return Outcome(held=False, detail="the gateway exists: delete it first, or use update")
    await world.create_gateway(step.create, step.properties)
    return Outcome(held=True, detail="created")


async def fault(step: Fault, world: World) -> Outcome:
    """Begin a fault."""
    return Outcome(held=True, detail=await world.faults.begin(step))


async def end_fault(step: EndFault, world: World) -> Outcome:
    """End a fault."""
    await world.faults.end(step.endFault)
    return Outcome(held=True, detail="ended")
