"""A VNet-to-VNet connection: what both gateways say of it, and who dropped its packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain.dial import blocked, lost, walk
from lab.explain.follow import follow, path_between
from lab.explain.model import SITE, Explanation, Finding, Layer, chain_of, failure, stamp
from lab.explain.site import IKE_PORT

if TYPE_CHECKING:
    from lab.explain.scene import Scene


async def explain_peers(name: str, scene: Scene) -> Explanation:
    """Whether it stands at both gateways; if not, with probes between them."""
    world = scene.world
    gateways = world.plan.gateways_of(name)
    said, up, when = [], True, ""
    for gateway in gateways:
        handle = world.gateways[gateway]
        status = (await handle.connection(name))["properties"]["connectionStatus"]
        rows = [row for row in await handle.tunnel_log() if row["connection"] == name]
        last = rows[-1] if rows else {}
        words = f": {last['message']}" if last.get("message") else ""
        up = up and status == "Connected"
        when = max(when, str(last.get("time", "")))
        said.append(f"{gateway} says {status}{words}")
    both = "; ".join(said)
    if up:
        chain = chain_of(f"tunnel of {name}", SITE, {"s2s": both}, None, stamp())
        return Explanation(name, f"the tunnel of {name} stands: {both}", (chain,))
    passed: dict[Layer, str] = {}
    broken: Finding | None = None
    trails = []
    for first, second in (gateways, gateways[::-1]):
        path = path_between(world.plan, first, second)
        followed = await follow(world, path, "udp", world.addresses[second], IKE_PORT)
        trails.append(walk(followed))
        if broken is None and (followed.dropped or not followed.arrived):
            found = blocked(followed) if followed.dropped else lost(followed)
            broken = failure(found.layer, f"the tunnel of {name} is down: {found.cause}",
                             *found.proof, both, remedy=found.remedy, at=found.at)  # fmt: skip
    if broken is None:
        passed["underlay"] = passed["firewall"] = "; ".join(trails)
        remedy = "compare the sharedKey, the ipsecPolicies and the VNets of both connections"
        cause = f"the tunnel of {name} is down: {both}"
        broken = failure("s2s", cause, *said, remedy=remedy, at=when)
    chain = chain_of(f"tunnel of {name}", SITE, passed, broken, stamp())
    return Explanation(name, broken.cause, (chain,))
