"""A probe that is sent now, followed to its target and back: what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from lab.explain import mtu
from lab.explain.blame import blocked, lost, walk
from lab.explain.follow import Followed, follow
from lab.explain.model import Finding, Layer, failure, stamp
from lab.explain.ports import listening, takes
from lab.explain.routes import route_to
from lab.explain.wayback import way_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.explain.goal import Goal
    from lab.nodes.base import Node
    from lab.world import World


@dataclass(frozen=True)
class Way:
    """From a node to an address."""

    address: str
    path: Sequence[str]
    """The nodes on it."""
    outer: Sequence[str] = ()
    """Those of them that a tunnel of the first node passes, which see nothing of what is in it."""


async def probed(world: World, goal: Goal, way: Way, passed: dict[Layer, str]) -> Finding | None:
    """The first broken layer there and back; None: it answers. What is good goes to `passed`."""
    address, path, outer = way.address, way.path, way.outer
    target = path[-1] if world.addresses.get(path[-1]) == address else ""
    followed = await follow(world, path, goal.protocol, address, goal.port)
    inner = replace(followed, path=[node for node in path if node not in outer])
    if found := await _judged(world, goal, address, target, inner):
        return found
    passed["firewall"] = passed["service"] = walk(inner)
    if not goal.size:
        return None
    large = await follow(world, path, "icmp", address, size=goal.size)
    if large.answered:
        passed["mtu"] = walk(replace(large, path=inner.path))
        return None
    tunnel = [path[0], *outer, *inner.path[1:2]] if outer else []
    found = await mtu.too_large(large, goal.size, tunnel, world)
    if found:
        return found
    large = replace(large, path=inner.path)
    if judged := await _judged(world, goal, address, target, large):
        return judged
    cause = f"small packets to {address} are answered, and packets of {goal.size} bytes are not"
    return failure("mtu", cause, walk(inner), walk(large), remedy="send smaller packets")


async def _judged(
    world: World, goal: Goal, address: str, target: str, followed: Followed
) -> Finding | None:
    if followed.answered:
        return _another(followed, target) if target and not followed.arrived else None
    if followed.dropped:
        return blocked(followed)
    if not target and not followed.answers:
        cause = f"{address} gives no answer, and no node of the lab has that address"
        return failure("route", cause, walk(followed), remedy="see the address")
    if not followed.arrived or not target:
        return await _astray(followed, address, world)
    return await _unanswered(world, goal, target, followed)


async def _astray(followed: Followed, address: str, world: World) -> Finding:
    """It did not come to the next node: what the last one knows of the way."""
    last = followed.last or followed.path[0]
    words, _ = await route_to(world.nodes[last], address)
    told = f"{last}: ip route get {address}: {words}"
    found = failure("route", f"{followed.what}: {', '.join(followed.answers)}", remedy="")
    if not followed.arrived:
        found = replace(lost(followed), layer="route")
    if "unreachable" in words:
        cause = f"{last} has no route to {address}: {words}"
        remedy = f"give {last} a route, or see the address"
        return replace(found, cause=cause, proof=(told, *found.proof), remedy=remedy)
    return replace(found, proof=(*found.proof, told))


def _another(followed: Followed, target: str) -> Finding:
    cause = f"somebody else than {target} answers {followed.what}: the probe did not come to it"
    remedy = "see who else has that address on the way: networks overlap"
    way = f"{followed.way}; {followed.told}"
    return failure("overlap", cause, way, remedy=remedy, at=stamp(followed.at))


async def _unanswered(world: World, goal: Goal, target: str, followed: Followed) -> Finding:
    """The probe arrived: what answers there, and what becomes of the answer."""
    at = stamp(followed.at)
    proof = [walk(followed)]
    if goal.protocol in ("tcp", "udp"):
        sockets = await world.nodes[target].wait_for(partial(listening, goal.protocol))
        found = nobody(goal, target, followed, sockets)
        if found:
            return found
        proof.append(_table(goal, sockets))
    if found := await way_back(followed, world):
        return found
    what = f"a program has {goal.protocol} port {goal.port}" if goal.port else "it is up"
    cause = f"the probe arrived at {target}, where {what}, and nothing came back"
    remedy = f"see that program's log: p2slab logs {target}"
    return failure("service", cause, *proof, remedy=remedy, at=at)


def _table(goal: Goal, sockets: str) -> str:
    return f"sockets that listen there (/proc/net/{goal.protocol}): {sockets or 'none'}"


def nobody(goal: Goal, target: str, followed: Followed, sockets: str) -> Finding | None:
    """Nobody takes what is sent to the port at this address; None: a program does."""
    if takes(sockets, followed.address, goal.port):
        return None
    port = f"{goal.protocol} port {goal.port} of {target}"
    elsewhere = [one for one in sockets.split() if one.endswith(f":{goal.port}")]
    others = ", ".join(one.rpartition(":")[0] for one in elsewhere)
    loopback = all(one.startswith("127.") for one in elsewhere)
    if not elsewhere:
        cause, remedy = f"nothing listens on {port}", "start the service"
    elif loopback:
        cause = f"the program on {port} listens on {others} (loopback) alone: only {target} itself "
        cause += "reaches it"
        remedy = f"bind it to {followed.address} or 0.0.0.0"
    else:
        cause = f"the program on {port} listens on {others} alone, not on {followed.address}"
        remedy = f"bind it to {followed.address} or 0.0.0.0"
    proof = (walk(followed), _table(goal, sockets))
    return failure("service", cause, *proof, remedy=remedy, at=stamp(followed.at))


async def pinged(node: Node, address: str, passed: dict[Layer, str]) -> Finding | None:
    """Whether an address answers ping, without a look at the way: IPv6 is not followed."""
    done = await node.run(["ping", "-n", "-c", "1", "-W", "1", address])
    last = (done.output.splitlines() or ["nothing"])[-1]
    if done.code == 0:
        passed["service"] = f"{address} answers ping: {last}"
        return None
    cause = f"{address} does not answer ping"
    return failure("route", cause, f"ping: {last}", remedy="see routes and firewalls of IPv6")
