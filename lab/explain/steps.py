"""What is looked at because of a step that did not hold: a row for each word of `expect:`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from lab.explain import reached, site
from lab.explain.absent import absent
from lab.explain.bgp import learnt
from lab.explain.goal import Goal
from lab.explain.model import Chain, Explanation, Layer, chain_of, stamp
from lab.explain.rates import explain_rate
from lab.explain.standing import not_by, standing
from lab.topology.model import steps as model
from lab.topology.model.steps import Step, verb_of
from radius.reasons import bare

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.world import ClientComputer, Deed

LAST_LINES = 3
"""Of a program's log, that are quoted."""


class Explains(Protocol):
    """What the explainer offers."""

    @property
    def scene(self) -> Scene:
        """The lab."""

    async def dial(
        self, client: ClientComputer, *, even_connected: bool = False
    ) -> Explanation | None:
        """The client's last dial; None: nothing of it failed, or there was none."""

    async def client(self, client: ClientComputer) -> Explanation:
        """Why a client is not connected, or that it is."""

    async def tunnel(self, name: str) -> Explanation:
        """What both ends of a connection say of it."""

    async def goal(self, name: str, goal: Goal) -> Explanation:
        """Why a node does not reach something, or that it does."""


async def explain_step(step: Step, explainer: Explains) -> Explanation:
    """Why a step did not hold."""
    return await HOW[type(step)](step, explainer)


async def _connects(step: model.Connects, explainer: Explains) -> Explanation:
    client = explainer.scene.world.clients[step.connects]
    found = await _dialled(client, explainer)
    if step.radius and await client.connection():
        words, chain = await not_by(step.radius, client, explainer.scene)
        return Explanation(client.name, f"{found.sentence}; {words}", (*found.chains, chain))
    return found


async def _refused(step: model.Refused, explainer: Explains) -> Explanation:
    return await _dialled(explainer.scene.world.clients[step.refused], explainer)


async def _dialled(client: ClientComputer, explainer: Explains) -> Explanation:
    """What failed of a dial, and what let it in if something did."""
    failed = await explainer.dial(client, even_connected=True)
    connection = await client.connection()
    if connection is None:
        return failed or await explainer.client(client)
    words, chain = await standing(client, connection)
    if failed is None:
        return Explanation(client.name, words, (chain,))
    return Explanation(client.name, f"{failed.sentence}; {words}", (*failed.chains, chain))


async def _reaches(step: model.Reaches, explainer: Explains) -> Explanation:
    goal = Goal(step.protocol, step.host or str(step.address), step.port or 0, step.bytes or 0)
    return _now(await explainer.goal(step.reaches, goal))


def _now(found: Explanation) -> Explanation:
    """What holds when it is looked at again is said to be so only now."""
    if found.broken:
        return found
    return replace(found, sentence=f"looked at again, after the step: {found.sentence}")


async def _cannot_reach(step: model.CannotReach, explainer: Explains) -> Explanation:
    goal = Goal(step.protocol, step.host or str(step.address), step.port or 0)
    words, chain = await reached.explain_reached(step.cannotReach, goal, explainer.scene)
    return Explanation(step.cannotReach, words, (chain,))


async def _resolves(step: model.Resolves, explainer: Explains) -> Explanation:
    found = await explainer.goal(step.resolves, Goal("dns", step.name))
    if found.broken or step.to is None:
        return _now(found)
    words, chain = await reached.explain_name(
        step.resolves, step.name, explainer.scene, wanted=str(step.to)
    )
    return Explanation(step.resolves, words, (chain,))


async def _cannot_resolve(step: model.CannotResolve, explainer: Explains) -> Explanation:
    found = await explainer.goal(step.cannotResolve, Goal("dns", step.name))
    if found.broken:
        return found
    words, chain = await reached.explain_name(step.cannotResolve, step.name, explainer.scene)
    return Explanation(step.cannotResolve, words, (chain,))


async def _no_cleartext(step: model.NoCleartext, explainer: Explains) -> Explanation:
    return await _through_tunnel(step.noCleartext, Goal("tcp", step.host, step.port), explainer)


async def _survives_rekey(step: model.SurvivesRekey, explainer: Explains) -> Explanation:
    name, scene = step.survivesRekey, explainer.scene
    found = await _through_tunnel(name, Goal("icmp", step.host), explainer)
    if found.broken:
        return found
    client = scene.world.clients[name]
    dialled = client.last_dial
    since = dialled.at if dialled else 0.0
    told = [
        f"{node}: {line}"
        for node in (name, client.gateway.name)
        for line in scene.said(node, "charon", since)[-LAST_LINES:]
    ]
    passed: dict[Layer, str] = {"s2s": " | ".join(told) or "charon logged nothing"}
    chain = chain_of("charon", ("s2s",), passed)
    return replace(found, chains=(*found.chains, chain))


async def _through_tunnel(name: str, goal: Goal, explainer: Explains) -> Explanation:
    client = explainer.scene.world.clients[name]
    if await client.connection() is None:
        return await explainer.client(client)
    return _now(await explainer.goal(name, goal))


async def _disconnected(step: model.Disconnected, explainer: Explains) -> Explanation:
    scene = explainer.scene
    client = scene.world.clients[step.disconnected]
    connection = await client.connection()
    if connection is None:
        return await explainer.client(client)
    words, chain = await standing(client, connection)
    dialled = client.last_dial
    done = [deed for deed in scene.world.past if dialled and deed.at >= dialled.at]
    since = "; ".join(map(_told, done)) or "nothing was done in the lab"
    return Explanation(client.name, f"{words}; since it dialled: {since}", (chain,))


def _told(deed: Deed) -> str:
    return f"at {stamp(deed.at)} {deed.text} ({deed.effect})"


async def _stays_disconnected(step: model.StaysDisconnected, explainer: Explains) -> Explanation:
    client = explainer.scene.world.clients[step.staysDisconnected]
    connection = await client.connection()
    if connection:
        words, chain = await standing(client, connection)
        return Explanation(client.name, words, (chain,))
    rows = await client.gateway.sessions()
    own = [
        f"{row['privateIpAddress']} over {row['protocol']} (since {row['vpnConnectionTime']})"
        for row in rows
        if row["vpnUserName"] == client.user
    ]
    found = await explainer.client(client)
    words = f"sessions of user {client.user} at the gateway: {', '.join(own) or 'none'}"
    return replace(found, sentence=f"{words}; {found.sentence}")


async def _tunnel(step: model.Tunnel, explainer: Explains) -> Explanation:
    return await explainer.tunnel(step.tunnel)


async def _bgp(step: model.Bgp, explainer: Explains) -> Explanation:
    """The tunnel with its BGP; if both stand, what was learnt is not what was expected."""
    found = await explainer.tunnel(step.bgp)
    if found.broken or step.bgp not in explainer.scene.world.plan.connected_sites:
        return found
    seen = await site.look(step.bgp, explainer.scene)
    session = seen.ends.bgp if seen.ends else None
    if session is None or not session.up:
        return found
    wanted = () if step.learns == "nothing" else tuple(map(str, step.learns))
    broken = learnt(session, wanted)
    chain = chain_of(f"BGP with {session.peer}", (), {}, broken)
    return Explanation(step.bgp, broken.cause, (chain, *found.chains))


async def _throughput(step: model.Throughput, explainer: Explains) -> Explanation:
    return await explain_rate(step, explainer.scene)


async def _radius_in_tunnel(step: model.RadiusInTunnel, explainer: Explains) -> Explanation:
    scene = explainer.scene
    client = scene.world.clients[step.radiusInTunnel]
    found = await _dialled(client, explainer)
    tunnels = [
        site.judge(await site.look(name, scene))
        for name, gateway in scene.world.plan.connected_sites.items()
        if gateway.name == client.gateway.name
    ]
    words = "; ".join([found.sentence, *(one.sentence for one in tunnels)])
    return Explanation(client.name, words, (*found.chains, *(c for t in tunnels for c in t.chains)))


async def _of_session(step: model.Disconnect, explainer: Explains) -> Explanation:
    return await explainer.client(explainer.scene.world.clients[step.disconnect])


async def _of_operator(step: Any, explainer: Explains) -> Explanation:
    """The gateway's own answer is the reason: what it has now."""
    world = explainer.scene.world
    name = getattr(step, verb_of(step) or "")
    gateway = world.clients[name].gateway if name in world.clients else world.gateways[name]
    way = f"{gateway.name}'s API"
    if broken := await absent(gateway.name, world):
        return Explanation(name, broken.cause, (chain_of(way, (), {}, broken),))
    state = (await gateway.get())["properties"].get("provisioningState")
    passed: dict[Layer, str] = {
        "gateway-down": f"{gateway.name} answers; its provisioningState is {state}"
    }
    words = f"{OWN_WORDS}; its document is in force, and {state}"
    return Explanation(name, words, (chain_of(way, ("gateway-down",), passed),))


OWN_WORDS = "this is the gateway's own answer, and nobody else decides it"


async def _of_computer(step: Any, explainer: Explains) -> Explanation:
    """An action of a computer's own: what is known of its tunnel afterwards."""
    found = await explainer.client(
        explainer.scene.world.clients[getattr(step, verb_of(step) or "")]
    )
    words = "only the computer itself takes part in it"
    return replace(found, sentence=f"{words}; {found.sentence}")


async def _of_fault(step: model.Fault | model.EndFault, explainer: Explains) -> Explanation:
    name = step.fault if isinstance(step, model.Fault) else step.endFault
    done = [deed for deed in explainer.scene.world.past if deed.verb in ("fault", "endFault")]
    before = "; ".join(map(_told, done)) or "none began"
    return Explanation(name, f"faults of this lab so far: {before}")


async def _of_factor(step: model.Approve | model.Deny, explainer: Explains) -> Explanation:
    """The user was not asked: whom the servers ask, and what came of the user's dials."""
    world = explainer.scene.world
    user = getattr(step, verb_of(step) or "")
    asked = {name: await server.waiting() for name, server in world.radius.items() if server.asks}
    rows = [f"{name} asks {', '.join(users) or 'nobody'}" for name, users in asked.items()]
    waiting = "; ".join(rows) or "no RADIUS server of this lab asks for a factor"
    own = [one for one in world.clients.values() if bare(one.user).casefold() == user.casefold()]
    if not own:
        return Explanation(user, f"{waiting}; no client signs in as {user}")
    found = [await explainer.client(client) for client in own]
    words = "; ".join([waiting, *(one.sentence for one in found)])
    chains: tuple[Chain, ...] = tuple(chain for one in found for chain in one.chains)
    return Explanation(user, words, chains)


HOW: dict[type[Step], Callable[[Any, Explains], Awaitable[Explanation]]] = {
    model.Connects: _connects,
    model.Refused: _refused,
    model.Reaches: _reaches,
    model.CannotReach: _cannot_reach,
    model.Resolves: _resolves,
    model.CannotResolve: _cannot_resolve,
    model.NoCleartext: _no_cleartext,
    model.SurvivesRekey: _survives_rekey,
    model.Disconnected: _disconnected,
    model.StaysDisconnected: _stays_disconnected,
    model.Tunnel: _tunnel,
    model.Bgp: _bgp,
    model.Throughput: _throughput,
    model.RadiusInTunnel: _radius_in_tunnel,
    model.Disconnect: _of_session,
    model.Revoke: _of_operator,
    model.Reinstate: _of_operator,
    model.Update: _of_operator,
    model.Delete: _of_operator,
    model.Create: _of_operator,
    model.HangUp: _of_computer,
    model.Restart: _of_computer,
    model.InstallUpdates: _of_computer,
    model.SignIn: _of_computer,
    model.TakeProfile: _of_computer,
    model.Fault: _of_fault,
    model.EndFault: _of_fault,
    model.Approve: _of_factor,
    model.Deny: _of_factor,
}
"""A new word needs a row: tests/unit/lab/explain/test_steps.py."""
