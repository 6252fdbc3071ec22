"""A VNet-to-VNet tunnel: what both gateways say of it, and who dropped its packets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from lab.explain.absent import absent
from lab.explain.blame import ended
from lab.explain.follow import Followed, follow
from lab.explain.model import Explanation, Finding, failure
from lab.explain.site import IKE_PORT, by_words, of_tunnel
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.explain.scene import Scene


@dataclass(frozen=True)
class VnetsSeen:
    """A connection of two gateways."""

    name: str
    statuses: tuple[str, ...]
    """Each gateway's, with its name."""
    up: bool
    why: tuple[str, ...] = ()
    """Each gateway's last record about it."""
    when: str = ""
    followed: tuple[Followed, ...] = ()
    gone: Finding | None = None
    """Why one of the gateways is not there."""


async def look(name: str, scene: Scene) -> VnetsSeen:
    """What both gateways say now; where it is down, probes between them."""
    world = scene.world
    gateways = world.plan.gateways_of(name)
    for gateway in gateways:
        if gone := await absent(gateway, world):
            return VnetsSeen(name, (), up=False, gone=gone)
    statuses, why, times = [], [], [""]
    for gateway in gateways:
        handle = world.gateways[gateway]
        properties = (await handle.connection(name))["properties"]
        statuses.append((gateway, properties["connectionStatus"]))
        rows = [row for row in await handle.tunnel_log() if row["connection"] == name]
        if rows:
            times.append(str(rows[-1]["time"]))
            why.append(f"the log of {gateway} at {rows[-1]['time']}: {rows[-1]['message']}")
    up = all(status == "Connected" for _, status in statuses)
    followed: tuple[Followed, ...] = ()
    if not up:
        followed = tuple([
            await follow(world, [one, INTERNET, other], "udp", world.addresses[other], IKE_PORT)
            for one, other in permutations(gateways)
        ])  # fmt: skip
    told = tuple(f"{gateway} says {status}" for gateway, status in statuses)
    return VnetsSeen(name, told, up, tuple(why), max(times), followed)


def failed(seen: VnetsSeen) -> Finding:
    """The broken layer of a tunnel that is down."""
    down = f"the tunnel {seen.name} is down"
    if gone := seen.gone:
        return failure(gone.layer, f"{down}: {gone.cause}", *gone.proof, remedy=gone.remedy)
    proof = (*seen.statuses, *seen.why)
    for followed in seen.followed:
        if found := ended(followed):
            cause = f"{down}: {found.cause}"
            return failure(found.layer, cause, *found.proof, *proof, remedy=found.remedy)
    if found_words := by_words(" ".join(seen.why)):
        layer, cause, remedy = found_words
        return failure(layer, f"{down}: {cause}", *proof, remedy=remedy, at=seen.when)
    cause = f"{down}: {'; '.join(seen.why) or 'no gateway says why'}"
    return failure("s2s", cause, *proof, remedy="see the logs of both gateways", at=seen.when)


def judge(seen: VnetsSeen) -> Explanation:
    """The tunnel's chain."""
    broken = None if seen.up else failed(seen)
    both = "; ".join(seen.statuses)
    return of_tunnel(seen.name, f"tunnel {seen.name}", both, seen.followed, broken)
