"""A complete lab from the text of a topology, for a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from lab.runtime.lab import Lab
from lab.topology.load import load_bytes
from lab.topology.planning.planner import make_plan
from tests.rigs.isolated import isolated

HERE = Path(__file__).parent


def in_a_lab(logs: Path, text: str, test: Callable[[Lab], Awaitable[None]]) -> None:
    """Build it, run the test, and let the kernel take it away."""
    plan = make_plan(load_bytes(text.encode(), "test.yaml", HERE), HERE)

    async def there() -> None:
        lab = Lab(plan, logs)
        await lab.build(lambda _event: None)
        await test(lab)

    isolated(there)
