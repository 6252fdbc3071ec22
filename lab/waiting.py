"""Waiting for a condition with a limit, instead of sleeping."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, overload

from gateway.common import turns
from gateway.common.turns import Patience
from gateway.common.waiting import FIRST_PAUSE, Poll

T = TypeVar("T")

LONGEST_PAUSE = 0.1
WORTH_TELLING = 1.0
"""Seconds of standing still that the log tells of."""
NOT_YET = (OSError, ValueError, LookupError)
"""What a probe may raise to say `not yet`. Anything else, a LabError above all, ends the wait."""


@overload
async def wait_until(
    what: str, limit: float, probe: Callable[[], Awaitable[T]], *, first: float = ...
) -> T: ...


@overload
async def wait_until(
    what: str, limit: float, probe: Callable[[], T], *, first: float = ...
) -> T: ...


async def wait_until(
    what: str, limit: float, probe: Callable[[], T | Awaitable[T]], *, first: float = FIRST_PAUSE
) -> T:
    """Ask `probe` until it answers something true, and return that.

    The pauses between the questions grow from `first` to a tenth of a second. After `limit`
    seconds that count (`patience`) TimeoutError names `what` and the last thing seen. A probe that
    is still running then is cancelled.
    """
    poll = Poll(probe, NOT_YET, first, LONGEST_PAUSE)
    counted: Patience | None = None
    try:
        async with patience(limit) as counted:
            return await poll.answer()
    except TimeoutError:
        message = poll.late(what, limit)
        if counted and counted.left_out > turns.SLICE:
            message += f"; {busy(counted)}"
        raise TimeoutError(message) from None


def busy(counted: Patience) -> str:
    """What of a wait the machine is to blame for."""
    passed = counted.passed + counted.lag
    return (
        f"the machine was busy: for {counted.left_out:.1f} s of {passed:.1f} s a program of the "
        "lab had no turn on a processor"
    )


@asynccontextmanager
async def patience(limit: float) -> AsyncIterator[Patience]:
    """asyncio.timeout, but a second counts only if the programs that are seen here, those of a lab
    for its supervisor, all had their turns in it: gateway.common.turns."""
    loop = asyncio.get_running_loop()
    counted = Patience(limit, turns.of_everybody)
    then = loop.time()
    next_one: asyncio.TimerHandle
    async with asyncio.timeout(None) as timeout:

        def slice_is_over() -> None:
            nonlocal then, next_one
            now = loop.time()
            own = counted.spend(now - then)
            if own > WORTH_TELLING:
                sys.stderr.write(f"this program stood still for {own:.1f} s\n")
            then = now
            if counted.is_over:
                timeout.reschedule(now)
            else:
                next_one = loop.call_later(turns.SLICE, slice_is_over)

        next_one = loop.call_later(min(limit, turns.SLICE), slice_is_over)
        try:
            yield counted
        finally:
            next_one.cancel()
