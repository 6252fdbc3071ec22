"""Whether a running daemon still answers.

Time in which the gateway itself or the daemon waited for a CPU does not count
(gateway.common.turns): the daemon may have answered all along.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.common import turns
from gateway.common.errors import EngineError
from gateway.common.turns import Patience, no_turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.common.turns import Waited

PERIOD = 0.5
"""Seconds from an answer to the next request."""
LIMIT = 2.0
"""Seconds without an answer after which a daemon is given up."""
WORTH_LOGGING = 1.0
"""Seconds that the gateway itself must stand still to be logged."""


async def until_silent(
    name: str,
    ask: Callable[[], Awaitable[None]],
    waited: Waited = no_turns,
) -> str:
    """Ask periodically; once an answer is missing, return what happened, as text.

    `ask` returns when the daemon has answered; EngineError and OSError are no answer. It is
    cancelled if it takes too long. `waited`: see gateway.common.turns.
    """
    while True:
        lag = await _answered(name, ask, waited)
        if lag is not None:
            aside = f", besides {lag:.1f} s in which the gateway itself stood still"
            return f"gave no answer for {LIMIT:g} s{aside if lag > turns.SLICE else ''}"
        await asyncio.sleep(PERIOD)


async def _answered(name: str, ask: Callable[[], Awaitable[None]], waited: Waited) -> float | None:
    """None: an answer came; otherwise the seconds in which the gateway stood still."""
    patience = Patience(LIMIT, waited)
    answer = asyncio.ensure_future(_answer(ask))
    try:
        while not patience.is_over:
            elapsed = await _slice(answer)
            if answer.done():
                answer.result()  # raises if there was a fault of our own
                return None
            own = patience.spend(elapsed)
            if own > WORTH_LOGGING:
                sys.stderr.write(f"the gateway stood still for {own:.1f} s; {name} is not blamed\n")
    finally:
        answer.cancel()
    return patience.lag


async def _answer(ask: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(EngineError, OSError):
            return await ask()
        await asyncio.sleep(turns.SLICE)


async def _slice(answer: asyncio.Future[None]) -> float:
    """Wait one slice for the answer; return how many seconds that took."""
    before = time.monotonic()
    await asyncio.wait({answer}, timeout=turns.SLICE)
    return time.monotonic() - before
