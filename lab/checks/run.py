"""Execute steps: actions one at a time, the checks between them concurrently.

An action is a barrier, and so are checks of what many computers share: a site's tunnel, and
throughput. Between two barriers, checks of different computers run concurrently; those of one
computer keep their order.
`approve` and `deny` run concurrently with the user's own dialling.
"""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from gateway.common.turns import SLICE
from lab.checks import (
    actions,
    bgp,
    connect,
    portal,
    privacy,
    radius_in_tunnel,
    reach,
    second_factor,
    session,
    throughput,
    tunnel,
)
from lab.failure import error_report, error_text
from lab.topology.model import steps as model
from lab.topology.model.steps import ACTIONS, SECOND_FACTOR, Bgp, Step, Throughput, Tunnel, verb_of
from lab.waiting import busy, patience
from lab.world import Outcome, Work, World


class Took(NamedTuple):
    """When a step was executed."""

    began: float
    """Seconds since the epoch."""
    seconds: float


StepDone = Callable[[int, Step, Outcome, Took], None]
"""Called after each step: its index, the step, its outcome, when it was executed."""

WORK: dict[type[Step], Work] = {
    model.Connects: connect.connects,
    model.Refused: connect.refused,
    model.Reaches: reach.reaches,
    model.CannotReach: reach.cannot_reach,
    model.Resolves: reach.resolves,
    model.CannotResolve: reach.cannot_resolve,
    model.NoCleartext: privacy.no_cleartext,
    model.SurvivesRekey: session.survives_rekey,
    model.Disconnected: session.disconnected,
    model.StaysDisconnected: session.stays_disconnected,
    model.Tunnel: tunnel.tunnel,
    model.Bgp: bgp.bgp,
    model.Throughput: throughput.throughput,
    model.RadiusInTunnel: radius_in_tunnel.radius_in_tunnel,
    model.Revoke: actions.revoke,
    model.Reinstate: actions.reinstate,
    model.Disconnect: actions.disconnect,
    model.HangUp: actions.hang_up,
    model.Restart: actions.restart,
    model.InstallUpdates: actions.install_updates,
    model.SignIn: portal.sign_in,
    model.TakeProfile: actions.take_profile,
    model.Update: actions.update,
    model.Delete: actions.delete,
    model.Create: actions.create,
    model.Fault: actions.fault,
    model.EndFault: actions.end_fault,
    model.Approve: second_factor.approve,
    model.Deny: second_factor.deny,
}
"""The function of each step: the checks first, then the actions. A new step is a model in
lab/topology/model/steps.py, a function and a row here."""
NOTABLE = 0.5
"""If a failed step waited for the CPU for this share of its time, the machine may be the cause."""
BARRIERS: tuple[type, ...] = (*ACTIONS, Tunnel, Bgp, Throughput)
Chain = list[tuple[int, Step]]
Explain = Callable[[Step], Awaitable[dict[str, Any] | None]]
"""Why a step did not hold (lab.explain), as data."""


async def _unexplained(_: Step) -> None:
    return None


async def run_steps(
    steps: Sequence[Step], world: World, step_done: StepDone, explain: Explain = _unexplained
) -> bool:
    """Execute all steps, also after one has failed; whether all held. `explain` is asked about
    each that did not."""
    held = True
    for chains in concurrent_chains(steps):
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_chain(chain, world, step_done, explain)) for chain in chains
            ]
        held = all([held, *(task.result() for task in tasks)])
    return held


def concurrent_chains(steps: Sequence[Step]) -> Iterator[list[Chain]]:
    """Groups of chains, one group after the other; the chains of a group run concurrently."""
    numbered = list(enumerate(steps))
    for barrier, group in groupby(numbered, lambda pair: isinstance(pair[1], BARRIERS)):
        if barrier:
            yield from ([[pair]] for pair in group)
        else:
            chains: dict[str, Chain] = {}
            for pair in group:
                chains.setdefault(_concerns(pair[1]), []).append(pair)
            yield list(chains.values())


def _concerns(step: Step) -> str:
    """The node that the step is about; a second factor is separate from the user's computer."""
    verb = verb_of(step)
    assert verb is not None
    name: str = getattr(step, verb)
    return f"second factor of {name}" if isinstance(step, SECOND_FACTOR) else name


async def _chain(chain: Chain, world: World, step_done: StepDone, explain: Explain) -> bool:
    held = True
    for index, step in chain:
        work = _one(index, step, world, step_done, explain)
        done = await (_to_its_end(work) if isinstance(step, ACTIONS) else work)
        held = held and done
    return held


async def _one(index: int, step: Step, world: World, step_done: StepDone, explain: Explain) -> bool:
    began, started = time.time(), time.monotonic()
    outcome = await _execute(step, world)
    took = Took(round(began, 3), round(time.monotonic() - started, 3))
    if not outcome.held:
        outcome = replace(outcome, explanation=await explain(step))
    step_done(index, step, outcome, took)
    return outcome.held


async def _to_its_end(work: Coroutine[Any, Any, bool]) -> bool:
    """Whoever asked for an action may leave: it is not left half done, and is recorded."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _execute(step: Step, world: World) -> Outcome:
    """The outcome; that of a failed step mentions a busy machine if that may be the cause."""
    async with patience(math.inf) as counted:
        outcome = await _outcome(step, world)
    was_busy = counted.left_out > max(SLICE, NOTABLE * (counted.passed + counted.lag))
    if outcome.held or not was_busy:
        return outcome
    return replace(outcome, detail=f"{outcome.detail}; {busy(counted)}")


async def _outcome(step: Step, world: World) -> Outcome:
    """An unexpected exception in a step is an outcome that did not hold; other steps go on."""
    try:
        return await WORK[type(step)](step, world)
    except Exception as error:  # noqa: BLE001 (the outcome reports it)
        report = error_report(error)
        if not error_text(error):
            traceback.print_exception(error)  # into the supervisor's log
        texts = [report["message"].replace("\n", " "), report["remedy"]]
        return Outcome(held=False, detail="; ".join(filter(None, texts)))
