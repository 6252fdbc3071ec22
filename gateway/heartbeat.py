"""Whether a daemon still answers; one that does not is of no use, although it lives.

Time in which the gateway itself did not run (it was stopped, or the machine had no turn for it)
does not count: the answer may have been there all the while.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PERIOD = 0.5
"""Seconds from an answer to the next question."""
LIMIT = 2.0
"""Seconds without an answer after which a daemon is given up."""
SLICE = 0.1
"""Seconds; of each slice of waiting no more than twice that counts."""
WORTH_TELLING = 1.0
"""Seconds of the gateway's own standing still that its log tells of."""


async def until_silent(name: str, ask: Callable[[], Awaitable[None]]) -> str:
    """Ask again and again; returns what happened once an answer has failed to come.

    `ask` returns when the daemon has answered; EngineError and OSError are no answer. It is
    cancelled when it takes too long.
    """
    while True:
        lag = await _answered(name, ask)
        if lag is not None:
            aside = f", besides {lag:.1f} s in which the gateway itself stood still"
            return f"gave no answer for {LIMIT:g} s{aside if lag > SLICE else ''}"
        await asyncio.sleep(PERIOD)


async def _answered(name: str, ask: Callable[[], Awaitable[None]]) -> float | None:
    """None for an answer; else the seconds beyond LIMIT that did not count."""
    silence = lag = 0.0
    answer = asyncio.ensure_future(_answer(ask))
    try:
        while silence < LIMIT:
            elapsed = await _slice(answer)
            if answer.done():
                answer.result()  # raises what is our own fault
                return None
            own = max(0.0, elapsed - 2 * SLICE)
            if own > WORTH_TELLING:
                sys.stderr.write(f"the gateway stood still for {own:.1f} s; {name} is not blamed\n")
            lag += own
            silence += elapsed - own
    finally:
        answer.cancel()
    return lag


async def _answer(ask: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(EngineError, OSError):
            return await ask()
        await asyncio.sleep(SLICE)


async def _slice(answer: asyncio.Future[None]) -> float:
    """Wait for it; how many seconds it was."""
    before = time.monotonic()
    await asyncio.wait({answer}, timeout=SLICE)
    return time.monotonic() - before
