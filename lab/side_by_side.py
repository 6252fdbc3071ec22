"""How much is done side by side: as much as the machine has processors for.

More at once would only make each of it late, and late is what time limits are about. What waits for
something else of the lab must not have a place that this else may need.
"""

from __future__ import annotations

import asyncio
import os
from weakref import WeakKeyDictionary

Loop = asyncio.AbstractEventLoop
LEAST = 2

_places: WeakKeyDictionary[Loop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


def at_once(what: str, each: int) -> asyncio.Semaphore:
    """Places for work of this kind, the same for all of an event loop: `each` for each processor
    that this process may use, two at least."""
    own = _places.setdefault(asyncio.get_running_loop(), {})
    if what not in own:
        own[what] = asyncio.Semaphore(max(LEAST, each * len(os.sched_getaffinity(0))))
    return own[what]
