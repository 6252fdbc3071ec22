"""The gateway's end of the channel to its SSTP worker: requests and their answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from gateway.common.errors import EngineError
from gateway.sstp.worker.messages import (
    FROM_WORKER,
    TO_WORKER,
    Configure,
    Configured,
    Counts,
    Ping,
    Pong,
    Report,
)
from gateway.unprivileged.link import WorkerLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.sstp.worker.messages import FromWorker

M = TypeVar("M")
ANSWER_LIMIT = 5.0
"""Seconds to wait for the worker's answer to a request."""


class SstpWorkerLink(WorkerLink["FromWorker"]):
    """`on_message` gets all messages but answers; `broken` is called with the reason of failure."""

    def __init__(
        self, on_message: Callable[[FromWorker], None], broken: Callable[[str], None]
    ) -> None:
        super().__init__("the SSTP worker", FROM_WORKER, TO_WORKER, self._take, broken)
        self._on_other = on_message
        self._number = 0
        self._configured: dict[int, asyncio.Future[Configured]] = {}
        self._counts: list[asyncio.Future[Counts]] = []
        self._pongs: list[asyncio.Future[Pong]] = []

    def close(self) -> None:
        """Close both ends; pending requests fail."""
        super().close()
        for waiting in (list(self._configured.values()), self._counts, self._pongs):
            for answer in waiting:
                answer.cancel()
        self._configured.clear()
        self._counts.clear()
        self._pongs.clear()

    async def configure(self, order: Configure, limit: float = ANSWER_LIMIT) -> Configured:
        """Send a configuration; return when it is in force. EngineError."""
        self._number += 1
        answer: asyncio.Future[Configured] = asyncio.get_running_loop().create_future()
        self._configured[self._number] = answer
        self.send(replace(order, number=self._number))
        return await _within(answer, "did not accept its configuration", limit)

    async def report(self) -> Counts:
        """Get the worker's counters. EngineError."""
        answer: asyncio.Future[Counts] = asyncio.get_running_loop().create_future()
        self._counts.append(answer)
        self.send(Report())
        return await _within(answer, "did not report its counters")

    async def alive(self) -> None:
        """For the heartbeat: return when the worker's loop has answered. EngineError."""
        answer: asyncio.Future[Pong] = asyncio.get_running_loop().create_future()
        self._pongs.append(answer)
        self.send(Ping())
        await _within(answer, "did not answer")

    def _take(self, message: FromWorker) -> None:
        match message:
            case Configured():
                _answer(self._configured.pop(message.number, None), message)
            case Counts():
                _answer(self._counts.pop(0) if self._counts else None, message)
            case Pong():
                _answer(self._pongs.pop(0) if self._pongs else None, message)
            case _:
                self._on_other(message)


def _answer(future: asyncio.Future[M] | None, message: M) -> None:
    if future and not future.done():
        future.set_result(message)


async def _within(answer: asyncio.Future[M], failing: str, limit: float = ANSWER_LIMIT) -> M:
    await asyncio.wait({answer}, timeout=limit)
    if not answer.done() or answer.cancelled():
        raise EngineError(f"the SSTP worker {failing}")
    return answer.result()
