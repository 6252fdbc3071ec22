"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

T = TypeVar("T")
FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.05
_GROWTH = 1.5


@dataclass
class Poll(Generic[T]):
    """Calls `probe` repeatedly; pauses, in seconds, grow from `first` to `longest`.

    `not_yet`: exceptions of the probe that mean "not yet". `seen`: the last result, as text.
    """

    probe: Callable[[], T | Awaitable[T]]
    not_yet: tuple[type[Exception], ...] = (OSError,)
    first: float = FIRST_PAUSE
    longest: float = LONGEST_PAUSE
    seen: str = "nothing was asked yet"

    async def answer(self, over: Callable[[], bool] = lambda: False) -> T:
        """The first true answer; TimeoutError once `over` is true."""
        pause = self.first
        while True:
            try:
                answer = self.probe()
                value: T = await answer if inspect.isawaitable(answer) else answer
                if value:
                    return value
                self.seen = repr(value)
            except self.not_yet as error:
                self.seen = str(error) or repr(error)
            if over():
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, self.longest)

    def late(self, what: str, limit: float) -> str:
        """The message for a timeout of `limit` seconds."""
        return f"{what}: not within {limit:g} s; last seen: {self.seen}"


@overload
async def wait_until(what: str, limit: float, probe: Callable[[], Awaitable[T]]) -> T: ...


@overload
async def wait_until(what: str, limit: float, probe: Callable[[], T]) -> T: ...


async def wait_until(what: str, limit: float, probe: Callable[[], T | Awaitable[T]]) -> T:
    """Call `probe` until it returns a true value, and return that.

    TimeoutError after `limit` seconds: it names `what` and the probe's last value or exception. Of
    exceptions, only OSError means "not yet": a socket that does not exist yet.
    """
    deadline = time.monotonic() + limit
    poll = Poll(probe)
    try:
        return await poll.answer(lambda: time.monotonic() >= deadline)
    except TimeoutError:
        raise TimeoutError(poll.late(what, limit)) from None
