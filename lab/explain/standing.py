"""A tunnel that stands and should not, or not in this way: who let the client in, and when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.checks import records
from lab.explain.document import entry_of, protocols_of, radius_servers_of, revoked_in
from lab.explain.model import DIAL, Chain, Layer, chain_of, failure, stamp
from lab.explain.radius_server import of_server
from lab.explain.servers import look_at_server
from lab.vpn_client import NotDialledError

if TYPE_CHECKING:
    from lab.explain.document import Document
    from lab.explain.scene import Scene
    from lab.vpn_client import Connection
    from lab.world import ClientComputer


async def standing(client: ClientComputer, connection: Connection) -> tuple[str, Chain]:
    """What let it in, in a sentence, and the layers that it passed; a tunnel of which the gateway
    has no session is broken."""
    record = await records.logged(client, "connected")
    rows = await client.gateway.sessions()
    passed = _passed(client, record, await client.gateway.get())
    name = f"{client.name} is connected over {connection.protocol}, {connection.address}"
    if client.session not in [row["vpnConnectionId"] for row in rows]:
        others = ", ".join(row["privateIpAddress"] for row in rows) or "none"
        cause = f"{name}, by its own program; the gateway has no session of it"
        broken = failure(
            "address",
            cause,
            f"addresses of the gateway's sessions: {others}",
            f"the client's tunnel: {connection.address} on {connection.interface}",
            remedy=f"dial again: p2slab connect {client.name}",
        )
        return cause, chain_of(connection.protocol, DIAL, passed, broken)
    passed["address"] = f"{connection.address} on {connection.interface} ({connection.datapath})"
    why = passed.get("radius-verdict") or passed.get("revocation") or passed.get("certificate", "")
    since = f" since {record['time']}" if record else ""
    words = f"{name}{since}{f': {why}' if why else ''}{_time_of(client, connection)}"
    return words, chain_of(connection.protocol, DIAL, passed)


def _passed(
    client: ClientComputer, record: records.Record | None, document: Document
) -> dict[Layer, str]:
    offered = ", ".join(protocols_of(document)) or "nothing"
    passed: dict[Layer, str] = {"profile-stale": f"the gateway offers {offered}"}
    dialled = client.last_dial
    if dialled:
        passed["client-policy"] = f"it was dialled at {stamp(dialled.at)}"
    if record is None:
        return passed
    if record["radiusServer"]:
        passed["radius-verdict"] = (
            f"RADIUS server {record['radiusServer']} accepted {record['user']}"
        )
    if thumbprint := record["thumbprint"]:
        entry = entry_of(thumbprint, document)
        passed["certificate"] = f"the gateway took the certificate with thumbprint {thumbprint}"
        passed["revocation"] = (
            f"its certificate {thumbprint} is in vpnClientRevokedCertificates now ({entry})"
            if entry
            else f"its certificate {thumbprint} is none of the {len(revoked_in(document))} of "
            "vpnClientRevokedCertificates"
        )
    passed["gateway-down"] = f"the gateway's log at {record['time']}: {record['message']}"
    return passed


def _time_of(client: ClientComputer, connection: Connection) -> str:
    """How long the dial took, after those that failed before it."""
    failed = client.last_dial.failures if client.last_dial else ()
    before = [
        f"{one.protocol} failed after {one.seconds:.2f} s"
        for one in failed
        if not isinstance(one, NotDialledError)
    ]
    return "; ".join(["", *before, f"the dial took {connection.seconds:.2f} s"])


async def not_by(wanted: str, client: ClientComputer, scene: Scene) -> tuple[str, Chain]:
    """Why not this RADIUS server, but another or none, accepted a client: the order of the
    gateway's document, and what is wrong with the server."""
    world = scene.world
    record = await records.logged(client, "connected")
    by = (record or {}).get("radiusServer") or "none"
    asked = radius_servers_of(await client.gateway.get())
    order = ", then ".join(asked) or "none"
    dialled, address = client.last_dial, world.addresses[wanted]
    words = f"RADIUS server {by} accepted it, not {address} ({wanted})"
    passed: dict[Layer, str] = {"radius-path": f"the gateway asks {order}"}
    broken = None
    if dialled and address in asked:
        time = dialled.at, math.inf
        seen = await look_at_server(address, wanted, client, time, scene)
        broken = None if seen.well else next(of_server(seen), None)
    if broken:
        words = f"{words}: {broken.cause}"
    return words, chain_of(f"RADIUS server {wanted}", DIAL, passed, broken)
