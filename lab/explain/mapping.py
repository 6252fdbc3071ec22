"""A host's way to a connected client: the client's router may have forgotten the tunnel's UDP
connection, which only the client can begin again."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure
from lab.kernel.conntrack import translations
from lab.world import end_of

if TYPE_CHECKING:
    from lab.world import ClientComputer, World

TIMEOUT = "nf_conntrack_udp_timeout_stream"
_UDP = ("IkeV2",)
"""Protocols whose tunnels are UDP."""


async def client_with(address: str, world: World) -> ClientComputer | None:
    """The client whose tunnel has an address."""
    for client in world.clients.values():
        connection = await client.connection()
        if connection and connection.address == address:
            return client
    return None


async def forgotten(client: ClientComputer, world: World) -> Finding | None:
    """Why nothing comes to a client through its tunnel; None: its router knows the connection, or
    that is none of UDP."""
    connection = await client.connection()
    if connection is None or connection.protocol not in _UDP:
        return None
    rows = await client.gateway.sessions()
    row = next((one for one in rows if one["vpnConnectionId"] == client.session), None)
    table = await client.access.call(translations)
    own, gateway = world.addresses[client.name], world.addresses[client.gateway.name]
    known = [
        one
        for one in table
        if (one.protocol, one.inside[0], one.to) == (socket.IPPROTO_UDP, own, gateway)
    ]
    if row is None or end_of(row) in [one.outside for one in known]:
        return None
    public, port = end_of(row)
    done = await client.access.run(["cat", f"/proc/sys/net/netfilter/{TIMEOUT}"])
    seconds = done.output
    others = ", ".join(f"{one.outside[0]}:{one.outside[1]}" for one in known) or "none"
    return failure(
        "firewall",
        f"the router of {client.access.name} has forgotten the UDP connection of {client.name}'s "
        f"tunnel after {seconds} s of silence: what the gateway sends to {public}:{port} does not "
        "come to the client until that sends again",
        f"{client.access.name}: {TIMEOUT} is {seconds}",
        f"the gateway's session: {client.name} is at {public}:{port}",
        f"{client.access.name} translates for {own}, to {gateway}: {others}",
        remedy="let the router remember UDP for longer than the client's keepalive of 20 s",
    )
