"""`approve` and `deny`: the user's answer to a second factor.

They run concurrently with the client's own steps: its dialling waits for the answer.
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
    """The user approves."""
    return await _answer(step.approve, step, world, approve=True)


async def deny(step: Deny, world: World) -> Outcome:
    """The user denies."""
    return await _answer(step.deny, step, world, approve=False)


async def _answer(user: str, step: Approve | Deny, world: World, *, approve: bool) -> Outcome:
    began = time.monotonic()

    async def asked() -> bool:
        return user.casefold() in {bare(name).casefold() for name in await waiting(world.radius)}

    try:
        await wait_until(f"{user} is asked", step.within, asked)
    except TimeoutError:
        return Outcome(held=False, detail=f"{user} was not asked within {step.within:g} s")
    asked_after = time.monotonic() - began
    if step.after:
        await asyncio.sleep(step.after)  # the user takes that long
    servers = await decide(world.radius, user, approve=approve)
    answer = f"{'approved' if approve else 'denied'} {step.after or 0:g} s later"
    detail = f"asked after {asked_after:.2f} s, {answer}; {', '.join(servers)}"
    return Outcome(held=True, detail=detail)


async def waiting(servers: Mapping[str, RadiusServer]) -> list[str]:
    """The users with a pending prompt, by the names they signed in with."""
    found = [name for server in servers.values() if server.asks for name in await server.waiting()]
    return sorted(set(found))


async def decide(servers: Mapping[str, RadiusServer], user: str, *, approve: bool) -> list[str]:
    """Send a user's answer to every server that asks; their names, or UsageError if none asks."""
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
        raise UsageError(f"no server is asking {user} now", f"asked now: {names}")
    for server in found.values():
        await server.decide(user, approve=approve)
    return list(found)
