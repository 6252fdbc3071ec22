"""Addresses of clients, for a node of a VNet or of a site: a client is reached through its tunnel,
at its address of the pool, and nowhere else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from gateway.arm.rules.addresses import PRIVATE
from lab.explain.document import pool_of
from lab.explain.model import Finding, failure
from lab.explain.no_tunnel import no_tunnel
from lab.explain.place import behind_gateways, place_of
from lab.world import OFF

if TYPE_CHECKING:
    from lab.world import ClientComputer, GatewayHandle, World


async def not_there(who: str, address: str, world: World) -> Finding | None:
    """Why a node reaches no client at an address; None: it is no client's, or its client has it
    by a tunnel."""
    if who in world.clients or not behind_gateways(world.plan, who):
        return None
    owners = [name for name, own in world.addresses.items() if own == address]
    if owners:
        private = any(ip_address(address) in prefix for prefix in PRIVATE)
        home = all(name in world.clients for name in owners) and private
        return await _at_home(who, address, world.clients[owners[0]], world) if home else None
    for gateway in world.gateways.values():
        with suppress(*OFF):
            if await gateway.exists() and (found := await _in_pool(address, gateway, world)):
                return found
    return None


async def _in_pool(address: str, gateway: GatewayHandle, world: World) -> Finding | None:
    """An address of a gateway's pool that no session has: who had it last."""
    pool = pool_of(await gateway.get())
    taken = [row["privateIpAddress"] for row in await gateway.sessions()]
    inside = any(ip_address(address) in ip_network(prefix) for prefix in pool)
    if address in taken or not inside:
        return None
    dials = ((client, client.last_dial) for client in world.clients.values())
    had = [
        (dialled.at, client.name)
        for client, dialled in dials
        if dialled and dialled.connection and dialled.connection.address == address
    ]
    if had:
        return await no_tunnel(world.clients[max(had)[1]], world)
    cause = f"{address} is of the client pool of {gateway.name}, and no session has it"
    told = f"addresses of the gateway's sessions: {', '.join(taken) or 'none'}"
    remedy = "see the client's address (p2slab status), or dial"
    return failure("route", cause, told, remedy=remedy)


async def _at_home(who: str, address: str, client: ClientComputer, world: World) -> Finding:
    """The address of a client's own network."""
    place = place_of(world.plan, who)
    cause = (
        f"{address} is the address of {client.name} in {client.access.name}, to which no route "
        f"leads from {place}: there it is reached at the address of its tunnel"
    )
    told = f"{client.name}: its address in {client.access.name} is {address}"
    connection = await client.connection()
    if connection is None:
        gone = await no_tunnel(client, world)
        return replace(gone, cause=f"{cause}; {gone.cause}", proof=(told, *gone.proof))
    own = f"{client.name}: {connection.protocol}, {connection.address} on {connection.interface}"
    cause = f"{cause}, which is {connection.address}"
    return failure("route", cause, told, own, remedy=f"use address {connection.address}")
