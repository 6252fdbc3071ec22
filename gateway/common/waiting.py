"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


@overload
async def wait_until(what: str, limit: float, probe: Callable[[], Awaitable[T | None]]) -> T: ...


@overload
async def wait_until(what: str, limit: float, probe: Callable[[], T | None]) -> T: ...


async def wait_until(what: str, limit: float, probe: Callable[[], Any]) -> Any:
    """Ask `probe` until it gives something true, and return that.

    `limit` is in seconds; then TimeoutError says what was waited for and what was last seen: the
    probe's last value or exception (OSError only: a socket that is not there yet).
    """
    deadline = time.monotonic() + limit
    pause = _FIRST_PAUSE
    while True:
        seen: object
        try:
            answer = probe()
            value = await answer if inspect.isawaitable(answer) else answer
        except OSError as error:
            seen = error
        else:
            if value:
                return value
            seen = value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {limit:g} s; last seen: {seen!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
