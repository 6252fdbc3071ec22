"""Actions are barriers; checks of different computers run together, of one in order."""

from __future__ import annotations

import asyncio

import pytest

from lab.checks import run
from lab.checks.run import concurrent_chains, run_steps
from lab.topology.model.steps import Connects, Steps
from lab.world import Outcome
from tests.unit.lab.checks.fakes import FakeWorld


def test_checks_are_chained_by_computer_between_barriers() -> None:
    steps = Steps.validate_python(
        [
            {"connects": "alice"},
            {"connects": "bob"},
            {"reaches": "alice", "host": "app1", "port": 80},
            {"revoke": "alice"},
            {"hangUp": "bob"},
            {"disconnected": "alice"},
        ]
    )
    order = [
        [[index for index, _ in chain] for chain in chains] for chains in concurrent_chains(steps)
    ]
    assert order == [[[0, 2], [1]], [[3]], [[4]], [[5]]]


async def test_two_computers_run_together_and_one_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = asyncio.Barrier(2)
    done: list[str] = []

    async def meet(step: Connects, _world: object) -> Outcome:
        async with asyncio.timeout(5):
            await both.wait()
        done.append(step.connects)
        return Outcome(held=True, detail="")

    monkeypatch.setitem(run.WORK, Connects, meet)
    steps = Steps.validate_python([{"connects": name} for name in ("a", "a", "b", "b")])
    assert await run_steps(steps, FakeWorld(), lambda *_: None)  # type: ignore[arg-type]
    assert sorted(done[:2]) == sorted(done[2:]) == ["a", "b"]
