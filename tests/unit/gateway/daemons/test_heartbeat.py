"""When a daemon counts as silent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count

import pytest

from gateway.common import turns
from gateway.common.errors import EngineError
from gateway.daemons import heartbeat


def slices(monkeypatch: pytest.MonkeyPatch, length: Callable[[int], float]) -> list[float]:
    """The n-th slice of waiting takes length(n) seconds, by a clock of the test's own; they are
    put down in the list."""
    seen: list[float] = []

    async def one(_answer: asyncio.Future[None]) -> float:
        await asyncio.sleep(0)
        seen.append(length(len(seen)))
        return seen[-1]

    monkeypatch.setattr("gateway.daemons.heartbeat._slice", one)
    monkeypatch.setattr("gateway.daemons.heartbeat.PERIOD", 0)
    return seen


async def never() -> None:
    await asyncio.Event().wait()


async def test_two_seconds_of_silence_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = slices(monkeypatch, lambda _: 0.125)
    assert await heartbeat.until_silent("d", never) == "gave no answer for 2 s"
    assert sum(seen) == 2.0


async def test_time_in_which_the_gateway_stood_still_does_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = slices(monkeypatch, lambda n: 3.0 if n == 5 else 0.125)
    said = await heartbeat.until_silent("d", never)
    assert said == "gave no answer for 2 s, besides 2.8 s in which the gateway itself stood still"
    assert sum(seen) - 2.8 >= 2.0
    assert capsys.readouterr().err == "the gateway stood still for 2.8 s; d is not blamed\n"


async def test_time_in_which_the_daemon_had_no_turn_does_not_count_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In each slice, its slowest thread waits four fifths."""
    seen = slices(monkeypatch, lambda _: 0.125)
    waited = count()
    said = await heartbeat.until_silent("d", never, lambda: {"1": 0.0, "2": next(waited) * 0.1})
    assert said == "gave no answer for 2 s"
    assert sum(seen) == turns.LONGEST * heartbeat.LIMIT
    seen.clear()
    waited = count()
    await heartbeat.until_silent("d", never, lambda: {str(n := next(waited)): n * 9.0})
    assert sum(seen) == heartbeat.LIMIT, "a thread that has just begun has waited for nothing"


def test_the_waiting_time_of_a_busy_process_is_measured() -> None:
    """Two busy processes on one processor."""
    cpu = min(os.sched_getaffinity(0))
    script = f"import os; os.sched_setaffinity(0, {{{cpu}}})\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    try:
        pid = busy[0].pid
        limit = time.monotonic() + 20
        while max(turns.turns_waited_for(pid).values(), default=0.0) < 0.2:
            assert time.monotonic() < limit, turns.turns_waited_for(pid)
            time.sleep(0.01)
    finally:
        for one in busy:
            one.kill()
            one.wait()
    assert turns.turns_waited_for(pid) == {}


async def test_an_answer_behind_a_long_standstill_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slices(monkeypatch, lambda _: 3.0)
    rounds = count()

    async def answers_late() -> None:
        if next(rounds) == 3:
            raise RuntimeError("asked again and again")
        for _ in range(5):
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="again"):
        await heartbeat.until_silent("d", answers_late)


@pytest.mark.parametrize("error", [EngineError("not connected"), ConnectionResetError()])
async def test_an_error_is_no_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    slices(monkeypatch, lambda _: 0.125)

    async def fails() -> None:
        raise error

    assert await heartbeat.until_silent("d", fails) == "gave no answer for 2 s"


async def test_a_cancelled_heartbeat_asks_no_more() -> None:
    cancelled = asyncio.Event()

    async def hangs() -> None:
        try:
            await never()
        finally:
            cancelled.set()

    watching = asyncio.create_task(heartbeat.until_silent("d", hangs))
    await asyncio.wait({watching}, timeout=0)
    watching.cancel()
    await cancelled.wait()
