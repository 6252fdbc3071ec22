"""A site whose prefixes a gateway learns by BGP: what it has learnt, and why no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.explain.model import Finding, failure, stamp, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.world import Deed, GatewayHandle


@dataclass(frozen=True)
class BgpSeen:
    """The gateway's session with the site's device."""

    peer: str
    state: str
    """ARM's: Connected, Connecting, Idle, Stopped, Unknown."""
    learnt: tuple[str, ...]

    @property
    def up(self) -> bool:
        """Whether it is established."""
        return self.state == "Connected"


async def look(
    gateway: GatewayHandle, connection: dict[str, Any], local: dict[str, Any]
) -> BgpSeen | None:
    """By the documents of a connection and its local network gateway; None: they have no BGP."""
    settings = local["properties"].get("bgpSettings")
    if not connection["properties"].get("enableBgp") or not settings:
        return None
    peer = settings["bgpPeeringAddress"]
    states = [row["state"] for row in await gateway.bgp_peers() if row["neighbor"] == peer]
    routes = await gateway.learned_routes()
    learnt = tuple(row["network"] for row in routes if row["sourcePeer"] == peer)
    return BgpSeen(peer, (states or ["Unknown"])[0], learnt)


def learnt(seen: BgpSeen, site: str, wanted: Sequence[str], past: Sequence[Deed]) -> Finding:
    """Why the gateway has not learnt what was expected of a site."""
    has = ", ".join(seen.learnt) or "nothing"
    faults = [deed for deed in past if deed.subject == "bgp-down" and deed.place in ("", site)]
    proof = (*_proof(seen), *map(told, faults[-1:]))
    if not seen.up:
        cause = f"BGP: not established, because {seen.peer} of {site} is {seen.state}"
        if faults and faults[-1].verb == "fault":
            cause = f"{cause}: BGP ended there at {stamp(faults[-1].at)}, by the fault bgp-down"
        return failure("s2s", cause, *proof, remedy="start BGP on the site's device")
    missing = [one for one in wanted if one not in seen.learnt]
    parts = f"{', '.join(missing)} missing" if missing else "more than was expected"
    cause = f"BGP: the gateway has learnt {has} from {seen.peer} of {site}: {parts}"
    return failure("route", cause, *proof, remedy="see what the site's device announces")


def not_learnt(seen: BgpSeen, address: str) -> Finding:
    """Why the gateway has no route to an address behind the site."""
    proof = _proof(seen)
    if not seen.up:
        cause = f"BGP: not established, because {seen.peer} is {seen.state}: no route to {address}"
        return failure("route", cause, *proof, remedy="start BGP on the site's device")
    cause = f"BGP: the gateway has accepted no prefix with {address} from {seen.peer}"
    return failure("route", cause, *proof, remedy="announce its prefix from the site's device")


def _proof(seen: BgpSeen) -> tuple[str, str]:
    return (
        f"getBgpPeerStatus: {seen.peer} is {seen.state}",
        f"getLearnedRoutes: {', '.join(seen.learnt) or 'nothing'} from {seen.peer}",
    )
