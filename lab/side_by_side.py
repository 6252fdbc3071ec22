"""Limit concurrency to what the machine's processors can do.

More concurrency would only delay each task, and the tasks have time limits. A task must not hold a
slot while it waits for another task of the lab that may need that slot.
"""

from __future__ import annotations

import asyncio
import os
from weakref import WeakKeyDictionary

Loop = asyncio.AbstractEventLoop
LEAST = 2

_semaphores: WeakKeyDictionary[Loop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


def at_once(what: str, each: int) -> asyncio.Semaphore:
    """The semaphore for a kind of work, one per event loop: `each` slots per processor that this
    process may use, at least two."""
    own = _semaphores.setdefault(asyncio.get_running_loop(), {})
    if what not in own:
        own[what] = asyncio.Semaphore(max(LEAST, each * len(os.sched_getaffinity(0))))
    return own[what]
