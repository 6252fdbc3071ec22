"""A site whose prefixes a gateway learns by BGP: what it has learnt, and why no more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lab.explain.model import Finding, failure, told
from lab.explain.ports import listening, takes

if TYPE_CHECKING:
    from lab.world import Deed, GatewayHandle, World

PORT = 179
_FAULT = "bgp-down"


@dataclass(frozen=True)
class BgpSeen:
    """The gateway's session with the site's device."""

    site: str
    peer: str
    state: str
    """ARM's: Connected, Connecting, Idle, Stopped, Unknown."""
    learnt: tuple[str, ...]
    speaks: bool = True
    """Whether a program of the device has the port."""
    fault: Deed | None = None
    """The fault that has ended BGP there."""


async def look(
    site: str,
    gateway: GatewayHandle,
    connection: dict[str, Any],
    local: dict[str, Any],
    world: World,
) -> BgpSeen | None:
    """By the documents of a connection and its local network gateway; None: they have no BGP."""
    settings = local["properties"].get("bgpSettings")
    if not connection["properties"].get("enableBgp") or not settings:
        return None
    peer = settings["bgpPeeringAddress"]
    states = [row["state"] for row in await gateway.bgp_peers() if row["neighbor"] == peer]
    routes = await gateway.learned_routes()
    learnt = tuple(row["network"] for row in routes if row["sourcePeer"] == peer)
    sockets = await world.nodes[site].wait_for(partial(listening, "tcp"))
    faults = [deed for deed in world.past if deed.subject == _FAULT]
    begun = next((deed for deed in faults[-1:] if deed.verb == "fault"), None)
    fault = begun if begun and begun.place in ("", site) else None
    state = (states or ["Unknown"])[0]
    return BgpSeen(site, peer, state, learnt, takes(sockets, peer, PORT), fault)


def not_learnt(seen: BgpSeen, address: str) -> Finding:
    """Why the gateway has no route to an address behind the site."""
    proof = (
        f"getBgpPeerStatus: {seen.peer} is {seen.state}",
        f"getLearnedRoutes: {', '.join(seen.learnt) or 'nothing'} from {seen.peer}",
    )
    no_route = f"the gateway has no route to {address}"
    if not seen.speaks:
        cause = f"{no_route}: BGP does not run on {seen.peer}, the VPN device of {seen.site}"
        table = f"/proc/net/tcp of {seen.site}: nothing on {PORT}"
        begun = (told(seen.fault),) if seen.fault else ()
        remedy = f"end the fault: p2slab fault {_FAULT} --end" if begun else "start BGP there"
        return failure("route", cause, table, *proof, *begun, remedy=remedy)
    if seen.state != "Connected":
        cause = (
            f"{no_route}: its BGP session with {seen.peer}, the VPN device of {seen.site}, is not "
            f"established ({seen.state})"
        )
        remedy = "compare the autonomous system numbers and peer addresses of both ends"
        return failure("route", cause, *proof, remedy=remedy)
    cause = f"{no_route}: it has accepted no prefix with that from {seen.peer} by BGP"
    remedy = f"announce its prefix from the VPN device of {seen.site}"
    return failure("route", cause, *proof, remedy=remedy)
