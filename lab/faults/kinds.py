"""What each fault does, as a table from its name."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from lab.errors import UsageError
from lab.kernel import nft
from lab.lookup import connected_sites
from lab.topology.wiring import INTERNET

if TYPE_CHECKING:
    from lab.checks.base import World
    from lab.nodes.base import Node
    from lab.topology.steps import Fault
    from lab.topology.vocabulary import FaultName

End = Callable[[], Awaitable[None]]
Begun = tuple[str, End]
"""What was done, in words, and what undoes it."""


async def s2s_cut(world: World, step: Fault) -> Begun:
    """The Internet's router drops what the two VPN devices say to each other."""
    site = one(connected_sites(world.plan), step.at, "a site with a connection")
    ours = world.addresses[connected_sites(world.plan)[site].name]
    theirs = world.addresses[site]
    rules = [f"ip saddr {a} ip daddr {b} drop" for a, b in ((ours, theirs), (theirs, ours))]
    end = await drop(world.nodes[INTERNET], "s2s-cut", "forward", rules)
    return f"nothing passes between {ours} and {theirs}", end


async def s2s_wrong_psk(world: World, step: Fault) -> Begun:
    """The site's device has another key, and has to set the tunnel up anew."""
    site = one(connected_sites(world.plan), step.at, "a site with a connection")
    device = world.devices[site]
    await device.use_key(secrets.token_hex(16))
    return f"the device of {site} has another pre-shared key", device.use_key


def one(names: Iterable[str], wanted: str | None, what: str) -> str:
    """The one that is meant; UsageError where that is not said."""
    known = list(names)
    if wanted is not None and wanted in known:
        return wanted
    if wanted is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known) or "there is none"
    if wanted is not None:
        raise UsageError(f"{wanted} is not {what}", f"one of: {listed}")
    raise UsageError(f"it is not said which of {len(known)}", f"at: {what}, of: {listed}")


async def drop(node: Node, name: str, hook: str, rules: Iterable[str]) -> End:
    """Have a node's firewall drop packets, in a table of its own."""
    table = f"inet fault-{name}"
    lines = "\n".join(f"    {rule}" for rule in rules)
    text = f"""table {table} {{
  chain lost {{
    type filter hook {hook} priority -300; policy accept;
{lines}
  }}
}}
"""
    await node.call(lambda: nft.run(text))

    async def end() -> None:
        await node.call(lambda: nft.run(f"delete table {table}\n"))

    return end


KINDS: dict[FaultName, Callable[[World, Fault], Awaitable[Begun]]] = {
    "s2s-cut": s2s_cut,
    "s2s-wrong-psk": s2s_wrong_psk,
}
