"""Carry out steps: actions one by one, the checks between them side by side.

An action is a barrier, and so is a site's tunnel, which many use. Between two of them, checks that
concern different computers disturb nobody and run together; those of one computer keep their
order. What a user says on the telephone runs beside the user's own dialling.
"""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from gateway.common.turns import SLICE
from lab.checks import (
    actions,
    connect,
    privacy,
    radius_in_tunnel,
    reach,
    second_factor,
    session,
    tunnel,
)
from lab.failure import told, words
from lab.topology.model import steps as model
from lab.topology.model.steps import ACTIONS, TELEPHONE, Step, Tunnel, verb_of
from lab.waiting import busy, patience
from lab.world import Outcome, Work, World

Tell = Callable[[int, Step, Outcome, float], None]
"""Told of each step when it is done: its place in the list, itself, the outcome, seconds."""

WORK: dict[type[Step], Work] = {
    model.Connects: connect.connects,
    model.Refused: connect.refused,
    model.Reaches: reach.reaches,
    model.CannotReach: reach.cannot_reach,
    model.Resolves: reach.resolves,
    model.NoCleartext: privacy.no_cleartext,
    model.SurvivesRekey: session.survives_rekey,
    model.Disconnected: session.disconnected,
    model.StaysDisconnected: session.stays_disconnected,
    model.Tunnel: tunnel.tunnel,
    model.RadiusInTunnel: radius_in_tunnel.radius_in_tunnel,
    model.Revoke: actions.revoke,
    model.Reinstate: actions.reinstate,
    model.Disconnect: actions.disconnect,
    model.HangUp: actions.hang_up,
    model.Restart: actions.restart,
    model.Update: actions.update,
    model.Fault: actions.fault,
    model.EndFault: actions.end_fault,
    model.Approve: second_factor.approve,
    model.Deny: second_factor.deny,
}
"""What carries out each step: the checks first, then the actions. A new one is a model in
lab/topology/model/steps.py, a function and a row here."""
NOTABLE = 0.5
"""The part of a step's time without a turn from which the machine may be what failed it."""
Chain = list[tuple[int, Step]]


async def run_steps(steps: Sequence[Step], world: World, tell: Tell) -> bool:
    """Carry out all of them, whatever happens; whether all held."""
    held = True
    for chains in stretches(steps):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_chain(chain, world, tell)) for chain in chains]
        held = all([held, *(task.result() for task in tasks)])
    return held


def stretches(steps: Sequence[Step]) -> Iterator[list[Chain]]:
    """What runs side by side, stretch after stretch, each as chains that keep their order."""
    numbered = list(enumerate(steps))
    for alone, stretch in groupby(numbered, lambda pair: isinstance(pair[1], (*ACTIONS, Tunnel))):
        if alone:
            yield from ([[pair]] for pair in stretch)
        else:
            chains: dict[str, Chain] = {}
            for pair in stretch:
                chains.setdefault(_concerns(pair[1]), []).append(pair)
            yield list(chains.values())


def _concerns(step: Step) -> str:
    """The name that stands behind the step's verb; of a user's telephone, not the computer's."""
    verb = verb_of(step)
    assert verb is not None
    name: str = getattr(step, verb)
    return f"telephone of {name}" if isinstance(step, TELEPHONE) else name


async def _chain(chain: Chain, world: World, tell: Tell) -> bool:
    held = True
    for index, step in chain:
        began = time.monotonic()
        outcome = await _carry_out(step, world)
        tell(index, step, outcome, round(time.monotonic() - began, 3))
        held = held and outcome.held
    return held


async def _carry_out(step: Step, world: World) -> Outcome:
    """A check that fails in a way it did not foresee has not held; the others go on."""
    async with patience(math.inf) as counted:
        outcome = await _outcome(step, world)
    blamed = counted.left_out > max(SLICE, NOTABLE * (counted.passed + counted.lag))
    if outcome.held or not blamed:
        return outcome
    return replace(outcome, detail=f"{outcome.detail}; {busy(counted)}")


async def _outcome(step: Step, world: World) -> Outcome:
    try:
        return await WORK[type(step)](step, world)
    except Exception as error:  # noqa: BLE001 (the outcome tells of it)
        failure = told(error)
        if not words(error):
            traceback.print_exception(error)  # into the supervisor's log
        said = [failure["message"].replace("\n", " "), failure["remedy"]]
        return Outcome(held=False, detail="; ".join(filter(None, said)))
