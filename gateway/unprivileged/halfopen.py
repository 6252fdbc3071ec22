"""A bounded table of half-open connections, those not admitted yet.

A flood evicts its own connections: a source beyond its share loses its oldest, and if the table is
full, the source that has the most does. Connections that wait for the gateway's verdict (a second
factor may take half a minute) are evicted last.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class HalfOpen(Generic[T]):
    """Members by source, in order of arrival."""

    def __init__(self, *, total: int, share: int) -> None:
        self._total = total
        self._share = share
        self._sources: dict[str, dict[T, bool]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, member: T, source: str) -> T | None:
        """Add a member. Returns the member evicted for it, if any."""
        crowd = self._sources.setdefault(source, {})
        crowd[member] = False
        self._size += 1
        if len(crowd) > self._share:
            return self._evict(source)
        if self._size > self._total:
            return self.crowded()
        return None

    def crowded(self) -> T | None:
        """Evict a member of the source that has the most; None: the table is empty."""
        if not self._size:
            return None
        return self._evict(max(self._sources, key=lambda s: len(self._sources[s])))

    def waits(self, member: T, source: str) -> None:
        """Mark a member as waiting for a verdict."""
        crowd = self._sources.get(source, {})
        if member in crowd:
            crowd[member] = True

    def remove(self, member: T, source: str) -> None:
        """Remove a member that is admitted or gone; does nothing if it was evicted."""
        crowd = self._sources.get(source, {})
        if member not in crowd:
            return
        del crowd[member]
        self._size -= 1
        if not crowd:
            del self._sources[source]

    def _evict(self, source: str) -> T:
        crowd = self._sources[source]
        oldest = next((m for m, waits in crowd.items() if not waits), next(iter(crowd)))
        self.remove(oldest, source)
        return oldest
