"""The supervisor's side of a connection: whoever leaves wants no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lab.boot import wire
from lab.runtime.conversation import Conversation
from lab.runtime.protocol import Answer

LIMIT = 10


class Supervisor:
    """Its steps take until they are told to end."""

    def __init__(self) -> None:
        self.begun, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def emit(self, _: Any) -> None:
        """Nobody watches."""

    async def answer(self, _: Any) -> Answer:
        return Answer("an answer")

    async def steps(self, _: Any, __: Any) -> bool:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return True

    async def history(self, _: Any) -> None:
        """Not asked for."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with own, other:
        yield own, other


RUN = {"request": "run", "steps": []}


async def test_steps_are_cancelled_when_their_client_leaves(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    supervisor, (own, other) = Supervisor(), ends
    work = asyncio.create_task(Conversation(supervisor, own).serve())
    wire.send(other, RUN)
    await supervisor.begun.wait()
    other.close()
    async with asyncio.timeout(LIMIT):
        await supervisor.cancelled.wait()
        await work


async def test_the_next_request_is_answered_after_the_steps(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    supervisor, (own, other) = Supervisor(), ends
    work = asyncio.create_task(Conversation(supervisor, own).serve())
    wire.send(other, RUN)
    await supervisor.begun.wait()
    wire.send(other, {"request": "status"})
    supervisor.go.set()
    async with asyncio.timeout(LIMIT):
        assert await asyncio.to_thread(wire.receive, other) == ({"ok": True}, [])
        assert await asyncio.to_thread(wire.receive, other) == ({"ok": "an answer"}, [])
        wire.send(other, RUN)  # and it goes on
        assert await asyncio.to_thread(wire.receive, other) == ({"ok": True}, [])
        other.close()
        await work
