"""Waiting for others on a machine that has no time for them.

Time in which a program wants to run and has no turn is the machine's doing, not the program's. So
a limit counts only the rest of the time, up to a bound (Patience).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Waited = Callable[[], Mapping[str, float]]

SLICE = 0.1
"""Seconds; of each slice of waiting no more than twice that counts."""
LONGEST = 4
"""So many times its limit is the longest that anything is waited for."""
ENOUGH = 0.05
"""Seconds of running from which one can tell how slow it was."""
FRESH = 0.25
"""Seconds for which what was read of all processes does."""


def no_turns() -> Mapping[str, float]:
    """Of a program about which nothing is known."""
    return {}


def turns_waited_for(pid: int) -> Mapping[str, float]:
    """Seconds that each thread of a process has wanted to run without having a turn, by its id
    (proc_pid_schedstat(5)); empty where the kernel does not count them."""
    found = {}
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (a third of pathlib's time)
            with suppress(OSError, ValueError, IndexError):
                schedstat = Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes()
                found[thread] = int(schedstat.split()[1]) / 1e9
    return found


class Slowness:
    """How many times longer this process takes for what it does than on a machine that has nothing
    else to do: 1 to LONGEST, of the time since it was asked before."""

    def __init__(self) -> None:
        self._ran = self._waited = 0.0
        self._factor = 1.0

    def __call__(self) -> float:
        """The factor; where too little ran meanwhile, that of before."""
        ran, waited = own_time()
        if ran - self._ran > ENOUGH:
            factor = 1 + (waited - self._waited) / (ran - self._ran)
            self._factor = max(1.0, min(factor, LONGEST))
            self._ran, self._waited = ran, waited
        return self._factor


slowness = Slowness()


def own_time() -> tuple[float, float]:
    """Seconds that this process ran, and that its threads waited for a turn; zeros where the
    kernel does not count them."""
    ran = waited = 0.0
    with suppress(OSError, ValueError, IndexError):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 (as above)
            fields = Path(f"/proc/self/task/{thread}/schedstat").read_bytes().split()
            ran, waited = ran + int(fields[0]) / 1e9, waited + int(fields[1]) / 1e9
    return ran, waited


def own_turns() -> dict[str, float]:
    """The same as a document."""
    ran, waited = own_time()
    return {"ran": round(ran, 3), "waited": round(waited, 3)}


def of_everybody() -> Mapping[str, float]:
    """The same of all processes that are seen here; read at most once in FRESH seconds."""
    now = time.monotonic()
    if now - _all.read_at > FRESH:
        _all.turns = _read_all()
        _all.read_at = now
    return _all.turns


class _All:
    read_at = float("-inf")
    turns: Mapping[str, float] = {}


_all = _All()


def _read_all() -> Mapping[str, float]:
    found: dict[str, float] = {}
    with suppress(OSError):
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                found |= turns_waited_for(int(process.name))
    return found


class Patience:
    """`limit` seconds for somebody, and LONGEST times as many at most.

    What does not count: time in which the waiting program itself stood still (it was stopped, or
    had no turn), and time in which the slowest of those who are waited for had none.
    """

    def __init__(self, limit: float, waited: Waited = no_turns) -> None:
        self._limit = limit
        self._waited = waited
        self._before: Mapping[str, float] | None = None
        self.passed = 0.0
        """Seconds, without those in which the waiting program stood still."""
        self.starved = 0.0
        """Of them, seconds in which those who are waited for had no turn."""
        self.lag = 0.0
        """Seconds in which the waiting program stood still."""

    def spend(self, elapsed: float) -> float:
        """A slice has taken so long; the seconds in which the waiting program stood still."""
        own = max(0.0, elapsed - 2 * SLICE)
        self.lag += own
        self.passed += elapsed - own
        self._before, earlier = self._waited(), self._before
        if earlier is not None:
            self.starved += min(elapsed - own, _most(earlier, self._before))
        return own

    @property
    def left_out(self) -> float:
        """Seconds that did not count."""
        return self.starved + self.lag

    @property
    def is_over(self) -> bool:
        """Whether it was waited long enough."""
        counted = self.passed - self.starved
        return counted >= self._limit or self.passed >= LONGEST * self._limit


def _most(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """By the thread that waited longest: an answer comes when all of them have had their turn."""
    grown = (seconds - before.get(thread, seconds) for thread, seconds in after.items())
    return max(grown, default=0.0)
