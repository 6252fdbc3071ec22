"""Why a client has no tunnel: it never had one, or what ended the last one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from lab.checks import records
from lab.explain import engines
from lab.explain.absent import FAULTS, absent
from lab.explain.choice import taken
from lab.explain.document import Document, authenticated_by, entry_of, pool_of, protocols_of
from lab.explain.model import Finding, Layer, brief, failure, stamp, told
from lab.explain.offer import without_clients
from lab.explain.reasons import meaning_of
from lab.explain.routes import table_of

if TYPE_CHECKING:
    from lab.vpn_client import Connection, Dialled
    from lab.world import ClientComputer, Deed, World

_ENDS: dict[str, tuple[Layer, str]] = {
    "restart": ("client-policy", "a P2S client does not reconnect by itself; dial again"),
    "hangUp": ("client-policy", "dial again"),
    "disconnect": ("client-policy", "dial again"),
    "revoke": ("revocation", "reinstate the certificate, or issue a new one"),
    "update": ("profile-stale", "take a new profile and dial again"),
    "delete": ("gateway-down", "create the gateway anew and dial again"),
    "fault": ("gateway-down", "dial again when the gateway is back"),
}
"""What ends a client's tunnel: its layer, and what to do then."""


async def without(
    client: ClientComputer, connection: Connection | None, world: World
) -> Finding | None:
    """Why a client has no tunnel, or none of which its gateway knows; None: it has one."""
    if connection is None:
        return await no_tunnel(client, world)
    if gone := await absent(client.gateway.name, world):
        own = f"{client.name} still calls its tunnel up: {connection.protocol}, on "
        return replace(gone, proof=(*gone.proof, f"{own}{connection.interface}"))
    if client.session and await records.session(client) is None:
        return await _ended(client, connection, world)
    return None


async def no_tunnel(client: ClientComputer, world: World) -> Finding:
    """Why a client has no tunnel: what ended the last one, with its moment."""
    name, dialled = client.name, client.last_dial
    routes = f"no tunnel on {name}; its routes (ip route): {await table_of(client.node)}"
    if dialled and (gone := await gone_gateway(client, world)):
        return gone
    if dialled is None or dialled.connection is None:
        return _never_connected(name, dialled, routes)
    return await _ended(client, dialled.connection, world)


async def _ended(client: ClientComputer, connection: Connection, world: World) -> Finding:
    """What ended a client's last tunnel."""
    name, dialled = client.name, client.last_dial
    routes = f"no tunnel on {name}; its routes (ip route): {await table_of(client.node)}"
    record = await records.logged(client, "disconnected")
    begun = dialled.at if dialled else 0.0
    own = [deed for deed in world.past if deed.at >= begun and _concerns(deed, client)]
    said = [f"the gateway's log at {record['time']}: {record['message']}"] if record else []
    broken = await engines.look(client.gateway, connection.protocol)
    if broken and record:
        return engines.no_tunnel(name, record["time"], broken, *said, routes)
    done = [*map(told, own)]
    document = await client.gateway.get()
    entry = entry_of(record["thumbprint"], document) if record and record["thumbprint"] else ""
    if record and entry:
        cause = (
            f"{name} has no tunnel since {record['time']}: its certificate with thumbprint "
            f"{record['thumbprint']} is revoked (entry {entry!r} of vpnClientRevokedCertificates)"
        )
        remedy = _ENDS["revoke"][1]
        return failure("revocation", cause, *said, *done, routes, remedy=remedy, at=record["time"])
    if own:
        deed = own[-1]
        layer, remedy = _ENDS[deed.verb]
        now = ""
        if deed.verb == "update":
            layer, remedy, now = _changed(client, connection, document)
        since, why = (record["time"], record["message"]) if record else (stamp(deed.at), "")
        by = f"{brief(deed.text)} ({'; '.join(filter(None, (deed.effect, why)))})"
        cause = f"{name} has no tunnel since {since}: {by}, and it has not dialled since{now}"
        proof = (*said, *done, routes)
        return failure(layer, cause, *proof, remedy=remedy, at=since)
    since = record["time"] if record else "an unknown time"
    why = record["message"] if record else "the gateway has no record of its end"
    cause = f"{name} has no tunnel since {since}: {why}"
    return failure("client-policy", cause, *said, routes, remedy=f"p2slab connect {name}")


def _never_connected(name: str, dialled: Dialled | None, routes: str) -> Finding:
    if dialled is None:
        cause = f"{name} is not connected: it has not dialled since the lab was built"
        return failure("client-policy", cause, routes, remedy=f"p2slab connect {name}")
    last = dialled.failures[-1] if dialled.failures else "no protocol"
    cause = f"{name} is not connected: its dial at {stamp(dialled.at)} failed: {last}"
    return failure("client-policy", cause, routes, remedy=f"p2slab explain {name}")


async def gone_gateway(client: ClientComputer, world: World) -> Finding | None:
    """Of a client whose gateway is deleted, off or cut off, or has no point-to-site."""
    gone = await absent(client.gateway.name, world)
    gone = gone or without_clients(await client.gateway.get(), client.gateway.name, world.past)
    return replace(gone, cause=f"{client.name} is not connected: {gone.cause}") if gone else None


def _changed(
    client: ClientComputer, connection: Connection, document: Document
) -> tuple[Layer, str, str]:
    """What of a gateway's document no longer admits a tunnel that stood: the layer, what to do, and
    words."""
    layer, anew = _ENDS["update"]
    offered, pool = protocols_of(document), pool_of(document)
    if connection.protocol not in offered:
        has = ", ".join(offered) or "nothing"
        return layer, anew, f"; the gateway offers {has} now, and no {connection.protocol}"
    own = ip_address(connection.address)
    if not any(own in ip_network(prefix) for prefix in pool):
        words = f"; its address was {own}, and the client address pool is {', '.join(pool)} now"
        return "pool", "dial again, for an address of the new pool", words
    if client.thumbprint and "Certificate" not in (types := authenticated_by(document)):
        words = f"; it has a certificate, and the gateway authenticates by {', '.join(types)} now"
        return layer, anew, words
    if client.certificates and not taken(client.certificates[0], document):
        return "certificate", meaning_of("untrusted").remedy, ""
    return "client-policy", anew, ""


def _concerns(deed: Deed, client: ClientComputer) -> bool:
    gateway = client.gateway.name
    if deed.verb == "fault":
        return deed.subject in FAULTS and deed.place in ("", gateway)
    return deed.verb in _ENDS and deed.subject in (client.name, gateway)
