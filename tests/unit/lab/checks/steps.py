"""Carries out one step in a world in memory."""

from __future__ import annotations

from typing import Any

from lab.checks.run import run_steps
from lab.topology.model.steps import Steps
from lab.world import Outcome
from tests.unit.lab.checks.fakes import FakeWorld


async def outcome(world: FakeWorld, **step: Any) -> Outcome:
    (parsed,) = Steps.validate_python([step])
    told: list[Outcome] = []
    held = await run_steps([parsed], world, lambda *row: told.append(row[2]))  # type: ignore[arg-type]
    (one,) = told
    assert held == one.held
    return one
