"""A client's route to an address that does not lead into its tunnel: why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.explain import held
from lab.explain.elsewhere import BY_DESIGN, other_vnet
from lab.explain.model import Finding, failure
from lab.explain.overlap import overlap, routes_to
from lab.explain.paths import node_of
from lab.explain.place import place_of

if TYPE_CHECKING:
    from lab.vpn_client import Connection
    from lab.world import ClientComputer, World


async def not_in_tunnel(
    client: ClientComputer, address: str, taken: str, connection: Connection, world: World
) -> Finding:
    """`taken`: the client's route to the address, as its kernel has it."""
    if found := await other_vnet(client, address, taken, connection, world):
        return found
    own = await held.look(client)
    has = (", ".join(own.profile.routes) if own else "") or "none"
    proof = (
        f"ip route get {address}: {taken}",
        f"the tunnel: {connection.address} on {connection.interface}",
        f"routes of the client's profile: {has}",
    )
    rows = await routes_to(client.node, address)
    device = re.search(r"\bdev (\S+)", taken)
    both = overlap(
        address,
        rows,
        proof,
        taken=device[1] if device else "",
        tunnel=connection.interface,
        access=client.access.name,
    )
    if both:
        return both
    if own and (stale := held.route(own, address, proof)):
        return stale
    if own and held.covers(own.profile, address):
        cause = (
            f"packets to {address} leave outside the tunnel, though the profile's routes have it: "
            "the client's own routes have no such route now"
        )
        return failure("route", cause, *proof, remedy="dial again")
    cause = (
        f"no route through the tunnel to {address}: it is not in the profile's routes ({has}), "
        "and packets leave outside the tunnel"
    )
    return await _not_routed(client, address, cause, proof, world)


async def _not_routed(
    client: ClientComputer, address: str, cause: str, proof: tuple[str, ...], world: World
) -> Finding:
    """The profile has no route to an address: that may be so by design."""
    target = node_of(address, client.name, world)
    place = place_of(world.plan, target) if target else ""
    gateway = client.gateway.name
    remedy = "add its prefix to the gateway's customRoutes, take a new profile and dial again"
    if place and place != place_of(world.plan, gateway):
        cause = (
            f"{cause}. That is by design: {address} is in {place}, and {gateway} is in "
            f"{place_of(world.plan, gateway)}: {BY_DESIGN!r}"
        )
        if place in world.plan.connected_sites:
            document = await client.gateway.get()
            custom = document["properties"].get("customRoutes") or {}
            prefixes = ", ".join(custom.get("addressPrefixes", ())) or "nothing"
            cause = f"{cause} What else it is to reach has to be in customRoutes"
            proof = (*proof, f"the gateway's document: customRoutes has {prefixes}")
        else:
            remedy = f"dial a gateway in {place}"
    return failure("route", cause, *proof, remedy=remedy)
