"""Which faults there are now. A fault is begun, and ended: by a step, after its time, or never."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lab.errors import UsageError
from lab.faults.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from lab.topology.model.steps import Fault, TimedFault
    from lab.world import World


class Faults:
    """The faults of one lab."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ends: dict[str, Callable[[], Awaitable[None]]] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._until: dict[str, float] = {}
        self._coming: list[asyncio.Task[None]] = []
        self.failures: list[str] = []
        """Faults that could not begin or end when their time had come."""

    async def begin_all(self, faults: Iterable[TimedFault]) -> None:
        """Begin those of the topology: at once, or when their time has come."""
        for fault in faults:
            if fault.after is None:
                await self.begin(fault)
            else:
                self._coming.append(asyncio.create_task(self._soon(fault, fault.after)))

    async def begin(self, step: Fault) -> str:
        """Begin it; what was done, in words. UsageError if it is there already."""
        name = step.fault
        if name in self._ends:
            raise UsageError(
                f"{name} is there already", f"endFault: {name}, or p2slab fault {name} --end"
            )
        words, self._ends[name] = await KINDS[name](self._world, step)
        if step.seconds is None:
            return words
        self._until[name] = time.time() + step.seconds
        self._timers[name] = asyncio.create_task(self._later(name, step.seconds))
        return f"{words}; ends in {step.seconds:g} s"

    async def end(self, name: str) -> None:
        """Put right what is wrong; UsageError if it is not there."""
        if name not in self._ends:
            there = ", ".join(self._ends) or "no fault"
            raise UsageError(f"{name} is not there", f"there is {there}")
        timer = self._timers.pop(name, None)
        if timer and timer is not asyncio.current_task():
            timer.cancel()
        self._until.pop(name, None)
        await self._ends.pop(name)()

    def document(self) -> list[dict[str, object]]:
        """Those that are there, and in how many seconds they end."""
        now = time.time()
        return [
            {"name": name, "endsIn": round(self._until[name] - now, 1) if name in self._until
             else None}
            for name in self._ends
        ]  # fmt: skip

    async def _soon(self, fault: TimedFault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self.begin(fault)
        except Exception as error:  # noqa: BLE001 (as below)
            self.failures.append(f"{fault.fault} could not begin: {error}")

    async def _later(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self.end(name)
        except Exception as error:  # noqa: BLE001 (told of with the lab's status and by `endFault`)
            self.failures.append(f"{name} could not be ended: {error}")
