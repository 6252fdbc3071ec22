"""What becomes of steps whose operator leaves (Ctrl-C) before they are done."""

from __future__ import annotations

import asyncio
from typing import Any

from lab.checks.run import run_steps
from lab.topology.model.steps import Connects, Revoke, Step
from lab.world import Outcome
from tests.unit.lab.checks.fakes import FakeWorld


def begin(world: FakeWorld, *steps: Step) -> tuple[asyncio.Task[bool], list[str]]:
    done: list[str] = []

    def step_done(_: int, step: Step, outcome: Outcome, __: float) -> None:
        done.append(f"{type(step).__name__} {outcome.held}")

    return asyncio.create_task(run_steps(steps, world, step_done)), done  # type: ignore[arg-type]


async def test_an_action_is_carried_out_and_recorded_and_nothing_after_it() -> None:
    world, go, asked = FakeWorld(), asyncio.Event(), asyncio.Event()
    put = world.gateway.put

    async def slow(resource: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await go.wait()
        return await put(resource)

    world.gateway.put = slow  # type: ignore[method-assign]
    work, done = begin(world, Revoke(revoke="alice"), Connects(connects="bob"))
    await asked.wait()
    work.cancel()
    await asyncio.wait({work}, timeout=0.05)
    assert not work.done()
    go.set()
    await asyncio.wait({work})
    assert work.cancelled()
    assert done == ["Revoke True"]
    rows = world.gateway.resource["properties"]["vpnClientConfiguration"]
    assert len(rows["vpnClientRevokedCertificates"]) == 1
    assert world.bob.dialled == []


async def test_a_check_is_given_up() -> None:
    world, asked = FakeWorld(), asyncio.Event()

    async def dial(*_: Any, **__: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    world.alice.dial = dial  # type: ignore[method-assign]
    work, done = begin(world, Connects(connects="alice"))
    await asked.wait()
    work.cancel()
    await asyncio.wait({work})
    assert (work.cancelled(), done) == (True, [])
