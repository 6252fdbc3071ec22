"""A probe has arrived, and no answer comes back: where the answer ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.explain.blame import rule_of, whose
from lab.explain.follow import Followed
from lab.explain.model import Finding, failure, stamp
from lab.explain.routes import route_to

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.world import World

_SILENT = ("FAILED", "INCOMPLETE", "NONE")
"""States of a neighbour that does not answer ARP (ip-neighbour(8))."""


async def way_back(followed: Followed, world: World) -> Finding | None:
    """What becomes of the answer to a probe that has arrived; None: nothing is seen to be wrong."""
    target = followed.path[-1]
    at, way, back = stamp(followed.at), followed.way, f"the answer: {followed.trail_back}"
    if dropped := followed.answer_dropped:
        cause = f"the answer of {target} to {followed.what} is dropped by {whose(dropped)}"
        remedy = f"let answers of {target} through at {dropped.node}"
        return failure("way-back", cause, rule_of(dropped), way, back, remedy=remedy, at=at)
    source, _ = followed.source
    seen = {one.node for one in followed.returned}
    if not seen:
        return await _not_sent(world.nodes[target], source, way, at)
    order = followed.path[::-1]
    last = [node for node in order if node in seen][-1]
    if last == order[-1]:
        return None
    following = order[order.index(last) + 1]
    cause = f"the answer of {target} was seen at {last} and did not come back to {following}"
    there = await route_to(world.nodes[last], source)
    routes = f"{last}: ip route get {source}: {there[0]}"
    remedy = f"see the routes of {last} to {source}"
    return failure("way-back", cause, way, back, routes, remedy=remedy, at=at)


async def _not_sent(node: Node, source: str, way: str, at: str) -> Finding | None:
    """The target's own way to who asked."""
    words, via = await route_to(node, source)
    told = f"{node.name}: ip route get {source}: {words}"
    if not via:
        if "unreachable" not in words:
            return None
        cause = f"{node.name} has no way back to {source}: {words}"
        remedy = f"give {node.name} a route to {source}"
        return failure("way-back", cause, told, way, remedy=remedy, at=at)
    state = await _neighbour(node, via)
    if not any(word in state for word in _SILENT):
        return None
    cause = (
        f"{node.name} has no way back to {source}: it sends its answers to {via}, and nobody there "
        "answers ARP"
    )
    neighbour = f"{node.name}: its neighbour {via}: {state}"
    remedy = f"give {node.name} the right default gateway, or a route to {source}"
    return failure("way-back", cause, told, neighbour, way, remedy=remedy, at=at)


async def _neighbour(node: Node, address: str) -> str:
    done = await node.run(["ip", "-json", "neighbour", "show", "to", address])
    rows = json.loads(done.stdout or "[]")
    return ", ".join(state for row in rows for state in row.get("state", ())) or "NONE"
