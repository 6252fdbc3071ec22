"""Explains failed steps, clients, hosts and sites of one lab."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.choices import did_you_mean, spelling
from lab.errors import LabError, UsageError
from lab.explain import site, vnets
from lab.explain.absent import was_absent
from lab.explain.dial import judge
from lab.explain.goal import Goal
from lab.explain.inside import explain_goal, outside_of_all
from lab.explain.look import Word, attempts
from lab.explain.model import SITE, Chain, Explanation, Finding, chain_of, depth, stamp
from lab.explain.no_tunnel import gone_gateway, no_tunnel, without
from lab.explain.scene import Scene
from lab.explain.steps import explain_step
from lab.explain.underneath import of_connection
from lab.failure import error_text
from lab.topology.model.steps import Step, verb_of
from lab.waiting import patience

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lab.world import ClientComputer

Words = dict[str, Word]
HIGHEST_PORT = 65535
LIMIT = 60.0
"""Seconds for one explanation. A gateway that hangs would take minutes to be given up."""


class Explainer:
    """Remembers what was asked about, and what was found out and is gone later."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._world = scene.world
        self._words: dict[tuple[str, str], Words] = {}
        """What was written down about a dial, by its client and time: routers forget whose a
        connection was."""
        self._goals: dict[str, Goal] = {}
        """What a node did not reach at last."""

    async def of_step(self, step: Step) -> dict[str, Any]:
        """Why a step did not hold. An error in here is said in the explanation, for the step's own
        outcome is more important."""
        try:
            found = await _in_time(explain_step(step, self))
        except Exception as error:  # noqa: BLE001 (as above)
            if not error_text(error):
                traceback.print_exception(error)
            verb = verb_of(step) or ""
            words = f"no explanation: {error_text(error) or type(error).__name__}"
            found = Explanation(str(getattr(step, verb)), words)
        return found.as_data()

    async def tunnel(self, name: str) -> Explanation:
        """What both ends of a connection say of it, and how its own packets fare below it."""
        first, *rest = self._world.plan.gateways_of(name)
        if name in self._world.plan.connected_sites:
            found, rest = site.judge(await site.look(name, self.scene)), [name]
        else:
            found = vnets.judge(await vnets.look(name, self.scene))
        if found.broken is None and (below := await of_connection(first, rest[0], self._world)):
            chain = chain_of(f"tunnel {name}", SITE, {}, below)
            return Explanation(name, below.cause, (chain,))
        return found

    async def of_subject(self, name: str, to: str, size: int = 0) -> dict[str, Any]:
        """About a client, a host, a site or a connection; `to`: HOST:PORT; `size`: bytes of a
        packet that is to get there, too. LabError: it takes too long. UsageError."""
        return (await _in_time(self._of_subject(name, to, size))).as_data()

    async def _of_subject(self, name: str, to: str, size: int) -> Explanation:
        world = self._world
        if size and not to:
            raise UsageError("--size: there is no target", "add --to HOST or --to HOST:PORT")
        if to:
            goal = replace(goal_of(to), size=size)
            known = spelling(world.nodes).get(goal.name.casefold())
            if known is None and not set(".:") & set(goal.name):  # neither a name of DNS
                remedy = did_you_mean(goal.name, frozenset(world.nodes))
                raise UsageError(f"--to {to}: there is no node {goal.name!r}", remedy)
            found = await self.goal(name, replace(goal, name=known or goal.name))
        elif name in world.plan.connections:
            found = await self.tunnel(name)
        elif name in world.clients:
            found = await self.client(world.clients[name])
        elif name in self._goals:
            found = await self.goal(name, self._goals[name])
        else:
            words = f"nothing is known to be wrong with {name}; "
            found = Explanation(
                name, f"{words}ask for a target: p2slab explain {name} --to HOST:PORT"
            )
        return found

    async def client(self, client: ClientComputer) -> Explanation:
        """What it failed to reach at last, or its tunnel, or its last dial."""
        name = client.name
        connection = await client.connection()
        if name in self._goals:
            return await self.goal(name, self._goals[name])
        if connection and (broken := await without(client, connection, self._world)):
            chain = chain_of(connection.protocol, (), {}, broken)
            return Explanation(name, broken.cause, (chain,))
        if connection:
            words = f"{name} is connected: {connection.protocol}, {connection.address}"
            seen = f"{words}, on {connection.interface} ({connection.datapath})"
            chain = Chain(connection.protocol, (Finding("address", "passed", seen, at=stamp()),))
            return Explanation(name, words, (chain,))
        if found := await self.dial(client):
            return found
        broken = await no_tunnel(client, self._world)
        return Explanation(name, broken.cause, (chain_of("tunnel", (), {}, broken),))

    async def goal(self, name: str, goal: Goal) -> Explanation:
        """Why a node does not reach something, or that it does."""
        client = self._world.clients.get(name)
        self._goals[name] = goal
        inside = client and not outside_of_all(name, goal, self._world)
        if (
            client
            and inside
            and await client.connection() is None
            and (dialled := await self.dial(client))
        ):
            words = f"{name} does not reach {goal.name}: {dialled.sentence}"
            self._goals[name] = goal
            return Explanation(name, words, dialled.chains)
        words, chain = await explain_goal(name, goal, self.scene)
        if not chain.failed:
            self._goals.pop(name, None)
        return Explanation(name, words, (chain,))

    async def dial(
        self, client: ClientComputer, *, even_connected: bool = False
    ) -> Explanation | None:
        """The last dial; None: it connected. `even_connected`: then why the ways before failed."""
        dialled = client.last_dial
        if dialled is None or not dialled.failures:
            return None
        if dialled.connection and not even_connected:
            return None
        self._goals.pop(client.name, None)
        gone = await gone_gateway(client, self._world)
        gone = gone or await was_absent(client.gateway.name, dialled.at, self._world)
        if gone:
            chain = chain_of("dial", (), {}, gone)
            return Explanation(client.name, gone.cause, (chain,))
        known = self._words.setdefault((client.name, dialled.began), {})
        seen = await attempts(client, dialled, self.scene, known)
        chains = tuple(judge(one) for one in seen)
        state = f"connected over {dialled.connection.protocol}" if dialled.connection else ""
        return Explanation(client.name, sentence(client.name, chains, state), chains)


async def _in_time(work: Awaitable[Explanation]) -> Explanation:
    """LabError after LIMIT seconds that count: operators wait for it."""
    try:
        async with patience(LIMIT):
            return await work
    except TimeoutError as error:
        seen = f": {error}" if str(error) else ""
        message = f"it was not found out within {LIMIT:g} s{seen}"
        raise LabError(message, "see the gateway's engines (p2slab status) and logs") from None


def sentence(name: str, chains: tuple[Chain, ...], state: str = "") -> str:
    """The failure that matters, and those of the other protocols in short; `state`: what came of
    the dial in the end, if anything."""
    broken = [(chain, chain.failed) for chain in chains if chain.failed]
    chain, main = max(broken, key=lambda pair: depth(pair[1]))
    text = f"{name} is {state or 'not connected'}: {chain.way}: {main.cause}"
    others = [f"{other.way}: {failed.cause}" for other, failed in broken if other is not chain]
    return f"{text}. The other ways failed, too: {'; '.join(others)}" if others else text


def goal_of(to: str) -> Goal:
    """HOST:PORT, or HOST; with `udp/` before the port for UDP. UsageError."""
    host, colon, port = to.rpartition(":")
    if not colon:
        return Goal("icmp", to)
    protocol, _, number = port.rpartition("/")
    known = protocol in ("", "tcp", "udp") and number.isascii() and number.isdecimal() and host
    if not known or not 0 < int(number) <= HIGHEST_PORT:
        raise UsageError(f"--to {to}: that is not HOST:PORT", "such as app1:80 or dns1:udp/53")
    return Goal(protocol or "tcp", host, int(number))
