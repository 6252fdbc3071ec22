"""`approve` and `deny`: what a user says on the telephone when a second factor asks.

Beside the client's own steps, not after them: somebody is dialling meanwhile and waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from lab.errors import UsageError
from lab.topology.model.steps import Approve, Deny
from lab.waiting import wait_until
from lab.world import Outcome, RadiusServer, World
from radius.reasons import bare


async def approve(step: Approve, world: World) -> Outcome:
    """Yes."""
    return await _word(step.approve, step, world, approve=True)


async def deny(step: Deny, world: World) -> Outcome:
    """No."""
    return await _word(step.deny, step, world, approve=False)


async def _word(user: str, step: Approve | Deny, world: World, *, approve: bool) -> Outcome:
    began = time.monotonic()

    async def asked() -> bool:
        return user.casefold() in {bare(name).casefold() for name in await waiting(world.radius)}

    try:
        await wait_until(f"{user} is asked", step.within, asked)
    except TimeoutError:
        return Outcome(held=False, detail=f"{user} was not asked within {step.within:g} s")
    rang = time.monotonic() - began
    if step.after:
        await asyncio.sleep(step.after)  # the user takes that long
    servers = await decide(world.radius, user, approve=approve)
    word = "approved" if approve else "denied"
    detail = f"asked after {rang:.2f} s, {word} {step.after or 0:g} s later; {', '.join(servers)}"
    return Outcome(held=True, detail=detail)


async def waiting(servers: Mapping[str, RadiusServer]) -> list[str]:
    """The users who are asked now, as they signed in."""
    found = [name for server in servers.values() if server.asks for name in await server.waiting()]
    return sorted(set(found))


async def decide(servers: Mapping[str, RadiusServer], user: str, *, approve: bool) -> list[str]:
    """The word of a user to every server that asks; those, or UsageError where none does."""
    asking = {name: server for name, server in servers.items() if server.asks}
    if not asking:
        raise UsageError("no RADIUS server here asks for a second factor", "see `secondFactor:`")
    own = bare(user).casefold()
    found = {
        name: server
        for name, server in asking.items()
        if own in {bare(one).casefold() for one in await server.waiting()}
    }
    if not found:
        names = ", ".join(await waiting(asking)) or "nobody"
        raise UsageError(f"{user} is asked for nothing now", f"asked now: {names}")
    for server in found.values():
        await server.decide(user, approve=approve)
    return list(found)
