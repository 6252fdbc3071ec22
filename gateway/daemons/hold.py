"""Keeps a daemon down."""

from __future__ import annotations

import asyncio


class Hold:
    """While it is on, the daemon is stopped and not started again."""

    def __init__(self) -> None:
        self._on, self._off = asyncio.Event(), asyncio.Event()
        self._off.set()

    @property
    def is_on(self) -> bool:
        """Whether it is on."""
        return self._on.is_set()

    def hold(self) -> None:
        """Stop the daemon, if it runs, and do not start it."""
        self._off.clear()
        self._on.set()

    def release(self) -> None:
        """Start it again."""
        self._on.clear()
        self._off.set()

    async def wait_held(self) -> None:
        """Return once it is on."""
        await self._on.wait()

    async def wait_released(self) -> None:
        """Return once it is off."""
        await self._off.wait()
