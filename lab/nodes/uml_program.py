"""A program in a user-mode Linux node, as the supervisor holds it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from lab.errors import LabError
from lab.guest import wire
from lab.nodes.environment import environment
from lab.nodes.uml_answers import AgentError, Answers
from lab.waiting import patience

KILL_LIMIT = 10.0
HELD: set[asyncio.Task[None]] = set()
"""Relays, and what listens to programs: whoever is held nowhere is collected, and with it its
connection, without which the agent ends the program."""
SAID = (wire.OUTPUT, wire.ERRORS, wire.TAKEN, wire.ENDED)
Take = Callable[[bytes, bytes], None]
"""Told of each piece of output: OUTPUT or ERRORS, and the bytes."""


class Asks(Protocol):
    """Who opens connections to the agent."""

    async def ask(self, request: Mapping[str, Any], *bodies: bytes) -> Line:
        """A new connection with this request on it."""


class NodeDownError(LabError):
    """The kernel of a node is not running, or ended while it was asked."""


class Line:
    """A connection to the agent, frame by frame."""

    def __init__(
        self, answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.answers = answers
        self._reader = reader
        self._writer = writer

    async def receive(self, *expected: bytes) -> tuple[bytes, bytes]:
        """The next frame, of one of these kinds; EOFError at the end, OSError for what the guest's
        system refused, AgentError for what no agent of ours would say."""
        try:
            kind, length = wire.HEAD.unpack(await self._reader.readexactly(wire.HEAD.size))
            payload = await self._reader.readexactly(self.answers.length(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError from error
        if kind == wire.FAILED:
            raise self.answers.failure(payload)
        return self.answers.kind(kind, expected), payload

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """A frame; nothing happens if the connection is closed."""
        if not self._writer.is_closing():
            self._writer.write(wire.pack(kind, payload))

    def close(self) -> None:
        """Let go: the agent ends what the errand was about."""
        self._writer.close()

    def relay(self) -> socket.socket:
        """From here on the bytes are somebody else's: a socket, non-blocking, which ends with the
        node, and the connection with it."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        task = asyncio.ensure_future(self._relay(ours))
        _hold(task)
        return theirs

    async def _relay(self, ours: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            await asyncio.gather(_pass_on(reader, self._writer), _pass_on(self._reader, writer))
        finally:
            writer.close()
            self._writer.close()


def _hold(task: asyncio.Task[None]) -> None:
    HELD.add(task)
    task.add_done_callback(HELD.discard)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of what is read, or the death of either end."""
    with suppress(ConnectionError):
        while data := await reader.read(wire.CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


class RemoteProgram:
    """A started program (lab.nodes.base.Process)."""

    def __init__(self, agent: Asks, line: Line, pid: int, take: Take, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._agent = agent
        self._line = line
        self._take = take
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.ensure_future(self._listen())
        _hold(self._listening)

    @classmethod
    async def start(
        cls,
        agent: Asks,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        take: Take,
        *,
        input: bytes | None = None,
        log: Path = Path(os.devnull),
    ) -> RemoteProgram:
        """FileNotFoundError and the like as of a program of one's own.

        With input its two outputs are told apart, without they are one.
        """
        request = {
            "do": "run",
            "argv": list(argv),
            "env": environment(env),
            "input": input is not None,
            "together": input is None,
        }
        bodies = () if input is None else (input, b"") if input else (b"",)
        line = await agent.ask(request, *bodies)
        try:
            _, payload = await line.receive(wire.STARTED)
            pid = line.answers.started(payload)
        except BaseException:
            line.close()  # nothing may run that nobody holds
            raise
        return cls(agent, line, pid, take, log)

    async def _listen(self) -> None:
        try:
            while True:
                kind, payload = await self._line.receive(*SAID)
                if kind == wire.ENDED:
                    self._end(self._line.answers.ended(payload))
                elif kind != wire.TAKEN:
                    self._take(kind, payload)
        except EOFError:
            pass
        except (AgentError, OSError) as error:  # who waits for it hears why
            if not self._ended.done():
                self._ended.set_exception(error)
                self._ended.exception()  # or nobody may wait
        finally:
            self._line.close()
            if not self._ended.done():  # the node went down under it
                self._ended.set_result(-signal.SIGKILL)

    def _end(self, code: int) -> None:
        if self._ended.done():
            raise self._line.answers.wrong("a second end of a program")
        self._ended.set_result(code)

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Until it ends; its exit code."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        self._line.send(wire.SIGNAL, json.dumps(int(number)).encode())

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, after `limit` seconds SIGKILL; what it left in its session is killed too."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with patience(limit):
                await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to its session, whether it has ended or not; its exit code."""
        try:
            async with patience(KILL_LIMIT):
                with suppress(NodeDownError, EOFError, ConnectionError):
                    line = await self._agent.ask({"do": "kill", "session": self.pid})
                    try:
                        await line.receive(wire.DONE)
                    finally:
                        line.close()
                return await self.wait()
        except TimeoutError:
            message = f"the node's process {self.pid} did not die within {KILL_LIMIT:g} s"
            raise TimeoutError(message) from None

    def forget(self) -> None:
        """Hear no more of what it left behind."""
        self._line.close()
