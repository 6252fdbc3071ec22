from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from gateway.common.background import end

SOURCE = Path(__file__).parents[4]


async def test_a_task_that_is_ended_has_ended() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    await end(task)
    assert task.cancelled()


async def test_an_exception_that_it_ended_with_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("a mistake")

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    with pytest.raises(ValueError, match="a mistake"):
        await end(task)


async def test_who_is_cancelled_while_ending_a_task_is_cancelled() -> None:
    """Even if both end in the same turn of the loop."""
    task = asyncio.create_task(asyncio.sleep(60))
    ending = asyncio.create_task(end(task))
    await asyncio.sleep(0)  # it has cancelled the task, and waits
    ending.cancel()
    await asyncio.wait({ending})
    assert ending.cancelled()


def test_no_cancellation_is_suppressed_around_another_task() -> None:
    files = [
        file for part in ("gateway", "lab", "radius") for file in (SOURCE / part).rglob("*.py")
    ]
    assert len(files) > 300
    lost = re.compile(r"suppress\([^)]*CancelledError")
    assert [str(file) for file in files if lost.search(file.read_text())] == []
