"""Time limits on a busy machine.

A program that is runnable but waits for a CPU ("its turn") is delayed by the machine, not by
itself. A limit (Patience) therefore does not count such time, up to a bound.
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
"""Seconds; of each slice of waiting, at most twice this counts."""
LONGEST = 4
"""Nothing is waited for longer than this many times its limit."""
ENOUGH = 0.05
"""Seconds of running from which the slowness can be measured."""
FRESH = 0.25
"""Seconds for which a reading of all processes is reused."""


def no_turns() -> Mapping[str, float]:
    """For a program about which nothing is known."""
    return {}


def turns_waited_for(pid: int) -> Mapping[str, float]:
    """Seconds that each thread of a process has waited for a CPU, by thread id
    (proc_pid_schedstat(5)); empty if the kernel does not count them."""
    found = {}
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (a third of pathlib's time)
            with suppress(OSError, ValueError, IndexError):
                schedstat = Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes()
                found[thread] = int(schedstat.split()[1]) / 1e9
    return found


class Slowness:
    """How many times longer this process takes for its work than on an idle machine, from 1 to
    LONGEST; measured since the previous call."""

    def __init__(self) -> None:
        self._ran = self._waited = 0.0
        self._factor = 1.0

    def __call__(self) -> float:
        """The factor; the previous one if the process has run too little since."""
        ran, waited = own_time()
        if ran - self._ran > ENOUGH:
            factor = 1 + (waited - self._waited) / (ran - self._ran)
            self._factor = max(1.0, min(factor, LONGEST))
            self._ran, self._waited = ran, waited
        return self._factor


slowness = Slowness()


def own_time() -> tuple[float, float]:
    """Seconds that this process ran, and that its threads waited for a CPU; zeros if the kernel
    does not count them."""
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
    """turns_waited_for all visible processes; read at most once in FRESH seconds."""
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
    """`limit` seconds of patience with other programs, at most LONGEST times as many in all.

    Two times do not count: when the waiting program itself stood still (it was stopped, or waited
    for a CPU), and when the slowest of the awaited programs waited for a CPU.
    """

    def __init__(self, limit: float, waited: Waited = no_turns) -> None:
        self._limit = limit
        self._waited = waited
        self._before: Mapping[str, float] | None = None
        self.passed = 0.0
        """Seconds passed, without those in which the waiting program stood still."""
        self.starved = 0.0
        """Of these, seconds in which the awaited programs waited for a CPU."""
        self.lag = 0.0
        """Seconds in which the waiting program stood still."""

    def spend(self, elapsed: float) -> float:
        """Account for a slice that took `elapsed` seconds. Returns the seconds in which the waiting
        program stood still."""
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
        """Whether the limit is reached."""
        counted = self.passed - self.starved
        return counted >= self._limit or self.passed >= LONGEST * self._limit


def _most(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """By the thread that waited longest, because an answer may need all threads to run."""
    grown = (seconds - before.get(thread, seconds) for thread, seconds in after.items())
    return max(grown, default=0.0)
