"""The active faults. A fault ends by a step, after its time, or with the lab."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lab.errors import UsageError
from lab.faults.kinds import KINDS
from lab.world import Deed

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
        self._scheduled: list[asyncio.Task[None]] = []
        self.failures: list[str] = []
        """Scheduled faults that could not begin or end."""

    async def begin_all(self, faults: Iterable[TimedFault]) -> None:
        """Begin the topology's faults: at once, or at their time."""
        for fault in faults:
            if fault.after is None:
                await self.begin(fault)
            else:
                task = asyncio.create_task(self._begin_after(fault, fault.after))
                self._scheduled.append(task)

    async def begin(self, step: Fault) -> str:
        """Begin a fault; a description of its effect. UsageError if it is already active."""
        name = step.fault
        if name in self._ends:
            raise UsageError(
                f"{name} is already active", f"endFault: {name}, or p2slab fault {name} --end"
            )
        effect, self._ends[name] = await KINDS[name](self._world, step)
        self._remember("fault", name, effect, step.at or "")
        if step.seconds is None:
            return effect
        self._until[name] = time.time() + step.seconds
        self._timers[name] = asyncio.create_task(self._end_after(name, step.seconds))
        return f"{effect}; ends in {step.seconds:g} s"

    async def end(self, name: str) -> None:
        """End a fault; UsageError if it is not active."""
        if name not in self._ends:
            active = ", ".join(self._ends) or "none"
            raise UsageError(f"{name} is not active", f"active faults: {active}")
        timer = self._timers.pop(name, None)
        if timer and timer is not asyncio.current_task():
            timer.cancel()
        self._until.pop(name, None)
        await self._ends.pop(name)()
        self._remember("endFault", name, "ended")

    def _remember(self, verb: str, name: str, effect: str, place: str = "") -> None:
        text = f"{'fault' if verb == 'fault' else 'end fault'} {name}"
        self._world.past.append(Deed(time.time(), verb, name, text, effect, place))

    def document(self) -> list[dict[str, object]]:
        """[{name, endsIn: seconds or None}] of the active faults."""
        now = time.time()
        return [
            {"name": name, "endsIn": round(self._until[name] - now, 1) if name in self._until
             else None}
            for name in self._ends
        ]  # fmt: skip

    async def _begin_after(self, fault: TimedFault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self.begin(fault)
        except Exception as error:  # noqa: BLE001 (as below)
            self.failures.append(f"{fault.fault} could not begin: {error}")

    async def _end_after(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self.end(name)
        except Exception as error:  # noqa: BLE001 (the lab's status and `endFault` report it)
            self.failures.append(f"{name} could not end: {error}")
