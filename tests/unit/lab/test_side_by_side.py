from __future__ import annotations

import asyncio
import os

import pytest

from lab.side_by_side import at_once


@pytest.mark.parametrize(("processors", "each", "most"), [(1, 1, 2), (1, 4, 4), (3, 4, 12)])
async def test_no_more_is_done_at_once_than_there_are_processors_for(
    monkeypatch: pytest.MonkeyPatch, processors: int, each: int, most: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    busy, seen = 0, list[int]()

    async def work() -> None:
        nonlocal busy
        async with at_once("work", each):
            busy += 1
            seen.append(busy)
            await asyncio.sleep(0)
            busy -= 1

    await asyncio.gather(*(work() for _ in range(5 * most)))
    assert (max(seen), len(seen)) == (most, 5 * most)


async def test_kinds_of_work_do_not_wait_for_each_other() -> None:
    async with at_once("dials", 1), at_once("dials", 1):
        assert not at_once("daemons", 1).locked()
