"""Whether a daemon still answers; one that does not is of no use, although it lives.

Time in which the gateway itself did not run (it was stopped, or the machine had no turn for it)
does not count: the answer may have been there all the while. Neither does time in which the daemon
wanted to run and the machine had no turn for it, up to a bound.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PERIOD = 0.5
"""Seconds from an answer to the next question."""
LIMIT = 2.0
"""Seconds without an answer after which a daemon is given up."""
SLICE = 0.1
"""Seconds; of each slice of waiting no more than twice that counts."""
STARVED_LIMIT = 8.0
"""Seconds without an answer after which it does not matter that the daemon had no turn."""
WORTH_TELLING = 1.0
"""Seconds of the gateway's own standing still that its log tells of."""


def no_turns() -> Mapping[str, float]:
    """Of a daemon about which nothing is known."""
    return {}


def turns_waited_for(pid: int) -> Mapping[str, float]:
    """Seconds that each thread of a process has wanted to run without having a turn, by its id
    (proc_pid_schedstat(5)); empty where the kernel does not count them."""
    found = {}
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError, ValueError, IndexError):
                found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return found


async def until_silent(
    name: str,
    ask: Callable[[], Awaitable[None]],
    waited: Callable[[], Mapping[str, float]] = no_turns,
) -> str:
    """Ask again and again; returns what happened once an answer has failed to come.

    `ask` returns when the daemon has answered; EngineError and OSError are no answer. It is
    cancelled when it takes too long. `waited`: see turns_waited_for.
    """
    while True:
        lag = await _answered(name, ask, waited)
        if lag is not None:
            aside = f", besides {lag:.1f} s in which the gateway itself stood still"
            return f"gave no answer for {LIMIT:g} s{aside if lag > SLICE else ''}"
        await asyncio.sleep(PERIOD)


async def _answered(
    name: str, ask: Callable[[], Awaitable[None]], waited: Callable[[], Mapping[str, float]]
) -> float | None:
    """None for an answer; else the seconds in which the gateway stood still."""
    silence = starved = lag = 0.0
    before = waited()
    answer = asyncio.ensure_future(_answer(ask))
    try:
        while silence - starved < LIMIT and silence < STARVED_LIMIT:
            elapsed = await _slice(answer)
            if answer.done():
                answer.result()  # raises what is our own fault
                return None
            own = max(0.0, elapsed - 2 * SLICE)
            if own > WORTH_TELLING:
                sys.stderr.write(f"the gateway stood still for {own:.1f} s; {name} is not blamed\n")
            lag += own
            silence += elapsed - own
            before, earlier = waited(), before
            starved += min(elapsed - own, _most_waited(earlier, before))
    finally:
        answer.cancel()
    return lag


def _most_waited(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """By the thread that waited longest: a daemon answers when all of them have had their turn."""
    grown = (seconds - before.get(thread, seconds) for thread, seconds in after.items())
    return max(grown, default=0.0)


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
