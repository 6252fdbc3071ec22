"""`bgp`: what a gateway has learnt of a site."""

from __future__ import annotations

from lab.topology.model.steps import Bgp
from lab.waiting import wait_until
from lab.world import Outcome, World


async def bgp(step: Bgp, world: World) -> Outcome:
    """The gateway accepts exactly these prefixes within the time."""
    [name] = world.plan.gateways_of(step.bgp)
    gateway = world.gateways[name]
    document = await gateway.local_network_gateway(step.bgp)
    peer = document["properties"]["bgpSettings"]["bgpPeeringAddress"]
    wanted = set() if step.learns == "nothing" else set(map(str, step.learns))
    learnt: set[str] = set()

    async def same() -> bool:
        rows = await gateway.learned_routes()
        learnt.clear()
        learnt.update(row["network"] for row in rows if row["sourcePeer"] == peer)
        return learnt == wanted

    try:
        await wait_until(f"{name} learns {_words(wanted)}", step.within, same)
    except TimeoutError:
        states = [row["state"] for row in await gateway.bgp_peers() if row["neighbor"] == peer]
        state = ", ".join(states) or "unknown"
        words = f"{name} has learnt {_words(learnt)}; the session with {peer} is {state}"
        return Outcome(held=False, detail=words)
    return Outcome(held=True, detail=f"{name} has learnt {_words(learnt)} of {peer}")


def _words(prefixes: set[str]) -> str:
    return ", ".join(sorted(prefixes)) or "nothing"
