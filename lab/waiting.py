"""Waiting for a condition with a limit, instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.1
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
    seconds TimeoutError names `what` and the last thing seen. A probe that is still running
    then is cancelled.
    """
    deadline = time.monotonic() + limit
    seen: object = "nothing was asked yet"
    pause = first
    while (left := deadline - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                answer = probe()
                value: T = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            seen = repr(value)
        except NOT_YET as error:
            seen = str(error) or repr(error)
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    raise TimeoutError(f"{what}: not within {limit:g} s; last seen: {seen}")
