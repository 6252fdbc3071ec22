"""UDP sockets for requests to RADIUS servers, on asyncio."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from radius.exchange import Question, Questions
from radius.packet import Flaw, Request, Server

MOST_SOCKETS = 8
"""Maximum sockets, with 256 questions each."""


class Wire(asyncio.DatagramProtocol):
    """One socket and its open questions."""

    def __init__(
        self, entropy: Callable[[int], bytes], flawed: Callable[[Flaw, str], None]
    ) -> None:
        self.questions = Questions(entropy)
        self.error = ""
        """The kernel's last error."""
        self._flawed = flawed
        self._answered: dict[int, asyncio.Event] = {}
        self._closed = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Handle a datagram, which may be an answer."""
        address = (str(addr[0]), int(addr[1]))
        outcome = self.questions.receive(data, address)
        if isinstance(outcome, Question):
            self._answered[id(outcome)].set()
        else:
            self._flawed(outcome, address[0])

    def error_received(self, exc: Exception) -> None:
        """Keep an error such as "no route", to be reported if there is no answer."""
        number = getattr(exc, "errno", None)
        self.error = os.strerror(number) if number else str(exc)

    async def ask(self, request: Request, servers: Sequence[Server], limit: float) -> Question:
        """Send the request until there is an answer or `limit` seconds have passed."""
        loop = asyncio.get_running_loop()
        question = self.questions.ask(request, servers, loop.time(), limit)
        answered = self._answered[id(question)] = asyncio.Event()
        end = question.began + limit
        try:
            while question.answer is None and loop.time() < end and not self._closed:
                for data, address in self.questions.tick(question, loop.time()):
                    self._transport.sendto(data, address)
                try:
                    async with asyncio.timeout_at(question.wakes):
                        await answered.wait()
                except TimeoutError:
                    continue
            return question
        finally:
            self.questions.forget(question)
            del self._answered[id(question)]

    def close(self) -> None:
        """Close the socket; pending calls of `ask` return at once, without an answer."""
        self._closed = True
        self.error = self.error or "the servers to ask were changed meanwhile"
        for answered in self._answered.values():
            answered.set()
        if self._transport is not None:
            self._transport.close()


class Wires:
    """As many sockets as the open questions need, bound to one address."""

    def __init__(
        self, address: str, entropy: Callable[[int], bytes], flawed: Callable[[Flaw, str], None]
    ) -> None:
        self._address = address
        self._make = lambda: Wire(entropy, flawed)
        self._wires: list[Wire] = []
        self._closed = False
        self._opening = asyncio.Lock()

    async def free(self) -> Wire:
        """A socket with room for a question. OSError: there is none, and none can be opened."""
        async with self._opening:
            for wire in self._wires:
                if not wire.questions.full:
                    return wire
            if len(self._wires) == MOST_SOCKETS:
                raise OSError(f"{MOST_SOCKETS * 256} questions are open already")
            loop = asyncio.get_running_loop()
            _, wire = await loop.create_datagram_endpoint(self._make, local_addr=(self._address, 0))
            if self._closed:
                wire.close()
                raise OSError("the servers to ask were changed meanwhile")
            self._wires.append(wire)
            return wire

    def close(self) -> None:
        """Close all sockets, including those being opened."""
        self._closed = True
        for wire in self._wires:
            wire.close()
        self._wires.clear()


def ignored(flaws: Counter[Flaw]) -> str:
    """`2 answers ignored (authenticator)`; empty for none."""
    if not flaws:
        return ""
    return f"{flaws.total()} answers ignored ({', '.join(sorted(flaws))})"
