"""The gateway's end of the channel to its SSTP worker, on asyncio; one worker at a time."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import EngineError
from gateway.sstpd.messages import FROM_WORKER, Configure, Configured, Counts, Ping, Pong, Report
from gateway.unprivileged.channel import Channel, ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from gateway.sstpd.messages import FromWorker

M = TypeVar("M")
ANSWER_LIMIT = 5.0
"""Seconds in which the worker answers an order."""


class Link:
    """Made anew for each worker. `broken` is told why the worker is of no more use."""

    def __init__(
        self, on_message: Callable[[FromWorker], None], broken: Callable[[str], None]
    ) -> None:
        self._on_message = on_message
        self._broken = broken
        self._channel: Channel[FromWorker] | None = None
        self._theirs: socket.socket | None = None
        self._number = 0
        self._configured: dict[int, asyncio.Future[Configured]] = {}
        self._counts: list[asyncio.Future[Counts]] = []
        self._pongs: list[asyncio.Future[Pong]] = []

    @property
    def connected(self) -> bool:
        """Whether there is a worker at the other end, as far as anybody knows."""
        return self._channel is not None

    def renew(self) -> None:
        """A new pair of sockets for a worker that is about to start."""
        self.close()
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = Channel(ours, FROM_WORKER)
        asyncio.get_running_loop().add_reader(ours, self._readable)

    def theirs(self) -> int:
        """The worker's end, to be inherited."""
        assert self._theirs
        return self._theirs.fileno()

    def started(self) -> None:
        """The worker has its end; ours of it would hide that it is gone."""
        if self._theirs:
            self._theirs.close()
            self._theirs = None

    def close(self) -> None:
        """Close both ends; whoever waits for an answer hears that there is none."""
        self.started()
        if self._channel:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._channel.fileno())
            loop.remove_writer(self._channel.fileno())
            self._channel.close()
            self._channel = None
        waiting = (self._configured.values(), self._counts, self._pongs)
        for future in (future for futures in waiting for future in futures):
            future.cancel()
        self._configured.clear()
        self._counts.clear()
        self._pongs.clear()

    def send(self, message: BaseModel) -> None:
        """Tell the worker. EngineError where there is none."""
        if self._channel is None:
            raise EngineError("the SSTP worker is not running")
        try:
            self._channel.send(message)
        except ChannelError as error:
            raise EngineError(f"the SSTP worker: {error}") from error
        if self._channel.wants_write:
            asyncio.get_running_loop().add_writer(self._channel.fileno(), self._writable)

    async def configure(self, order: Configure) -> Configured:
        """Put this in force; returns when it is."""
        self._number += 1
        answer: asyncio.Future[Configured] = asyncio.get_running_loop().create_future()
        self._configured[self._number] = answer
        self.send(order.model_copy(update={"number": self._number}))
        return await _within(answer, "took no configuration")

    async def report(self) -> Counts:
        """The worker's counts."""
        answer: asyncio.Future[Counts] = asyncio.get_running_loop().create_future()
        self._counts.append(answer)
        self.send(Report())
        return await _within(answer, "told no counts")

    async def alive(self) -> None:
        """For the heartbeat: returns when the worker's loop has answered."""
        answer: asyncio.Future[Pong] = asyncio.get_running_loop().create_future()
        self._pongs.append(answer)
        self.send(Ping())
        await _within(answer, "did not answer")

    def _readable(self) -> None:
        channel = self._channel
        try:
            for message in channel.receive() if channel else ():
                self._take(message)
                if channel is not self._channel:
                    return
        except ChannelError as error:
            self.close()
            self._broken(str(error))

    def _take(self, message: FromWorker) -> None:
        match message:
            case Configured():
                _answer(self._configured.pop(message.number, None), message)
            case Counts():
                _answer(self._counts.pop(0) if self._counts else None, message)
            case Pong():
                _answer(self._pongs.pop(0) if self._pongs else None, message)
            case _:
                self._on_message(message)

    def _writable(self) -> None:
        if self._channel:
            with suppress(ChannelError):  # the reader hears of it
                self._channel.flush()
            if not self._channel.wants_write:
                asyncio.get_running_loop().remove_writer(self._channel.fileno())


def _answer(future: asyncio.Future[M] | None, message: M) -> None:
    if future and not future.done():
        future.set_result(message)


async def _within(answer: asyncio.Future[M], failing: str) -> M:
    await asyncio.wait({answer}, timeout=ANSWER_LIMIT)
    if not answer.done() or answer.cancelled():
        raise EngineError(f"the SSTP worker {failing}")
    return answer.result()
