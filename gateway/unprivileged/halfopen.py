"""Connections on which nobody has been admitted yet: bounded, the oldest of the greediest goes.

A flood fills the table and then throws out its own: a source that has more than its share loses
its oldest, and when the whole is full, the source with most does. Whoever waits for the gateway's
verdict (a second factor may take half a minute) goes after those who have not come that far.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class HalfOpen(Generic[T]):
    """Members by source, in the order in which they came."""

    def __init__(self, *, total: int, share: int) -> None:
        self._total = total
        self._share = share
        self._sources: dict[str, dict[T, bool]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, member: T, source: str) -> T | None:
        """Take one in; returns one that has to go instead, which is out already."""
        crowd = self._sources.setdefault(source, {})
        crowd[member] = False
        self._size += 1
        if len(crowd) > self._share:
            return self._throw_out(source)
        if self._size > self._total:
            return self.crowded()
        return None

    def crowded(self) -> T | None:
        """Throw one out of the source that has most; None if there is nobody."""
        if not self._size:
            return None
        return self._throw_out(max(self._sources, key=lambda s: len(self._sources[s])))

    def waits(self, member: T, source: str) -> None:
        """It waits for a verdict from now on."""
        crowd = self._sources.get(source, {})
        if member in crowd:
            crowd[member] = True

    def remove(self, member: T, source: str) -> None:
        """It is admitted or gone; nothing happens if it is out."""
        crowd = self._sources.get(source, {})
        if member not in crowd:
            return
        del crowd[member]
        self._size -= 1
        if not crowd:
            del self._sources[source]

    def _throw_out(self, source: str) -> T:
        crowd = self._sources[source]
        oldest = next((m for m, waits in crowd.items() if not waits), next(iter(crowd)))
        self.remove(oldest, source)
        return oldest
