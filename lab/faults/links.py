"""Faults of cables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.nodes.base import Node
    from lab.world import World


async def unplug(world: World, access: str) -> Callable[[], Awaitable[None]]:
    """Take the carrier from an access network's link to the Internet, from the Internet's side; the
    function plugs it in again. The kernel forgets routes by a link that is down, so these are laid
    again."""
    cable = next(
        one for one in world.plan.links if one.b.node == access and one.b.interface == "wan"
    )
    internet, interface = world.nodes[INTERNET], cable.a.interface
    await _ip(internet, "link", "set", interface, "down")

    async def plug_in() -> None:
        await _ip(internet, "link", "set", interface, "up")
        near = {address.partition("/")[0] for address in cable.b.addresses}
        plan = next(node for node in world.plan.nodes if node.name == INTERNET)
        for route in plan.routes:
            if route.via in near:
                await _ip(internet, "route", "replace", route.destination, "via", route.via)

    return plug_in


async def _ip(node: Node, *words: str) -> None:
    done = await node.run(["ip", *words])
    if done.code:
        raise LabError(f"{node.name}: ip {' '.join(words)}: {done.output}")
