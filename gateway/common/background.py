"""Work that an event starts and nobody waits for."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING, Any

from gateway.common.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Background:
    """Tasks of one engine; what goes wrong in them is written to the program's log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin now."""
        task = asyncio.create_task(self._told(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except GatewayError as error:  # the daemon died in the middle: its keeper knows
            sys.stderr.write(f"{self._name}: {error.message}\n")
        except Exception:  # noqa: BLE001 - a fault of our own; nobody waits who could be told
            sys.stderr.write(f"{self._name}: a fault of the gateway's own\n")
            traceback.print_exc()
