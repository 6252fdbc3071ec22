"""Tasks: their end, and work started by an event that no caller awaits."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING, Any

from gateway.common.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended; an exception that it ended with is raised.

    A cancellation of the caller is not lost, as it would be if the task itself were awaited and its
    CancelledError suppressed.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


class Background:
    """Work of one engine; its errors are written to the program's log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start the work now."""
        task = asyncio.create_task(self.run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work; an error ends it, and nothing else."""
        try:
            await work
        except GatewayError as error:  # the daemon died meanwhile, which its supervisor handles
            sys.stderr.write(f"{self._name}: {error.message}\n")
        except Exception:  # noqa: BLE001 - a fault of our own; no caller could get it
            sys.stderr.write(f"{self._name}: a fault of the gateway's own\n")
            traceback.print_exc()
