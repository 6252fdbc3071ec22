"""The supervisor's side of a program in a user-mode Linux node."""

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
TASKS: set[asyncio.Task[None]] = set()
"""References to running tasks. Without them, the garbage collector could end a task and close its
connection, and the agent would then kill the program."""
FROM_PROGRAM = (wire.OUTPUT, wire.ERRORS, wire.TAKEN, wire.ENDED)
Take = Callable[[bytes, bytes], None]
"""Called for each chunk of output: OUTPUT or ERRORS, and the bytes."""


class AgentClient(Protocol):
    """Opens connections to the agent."""

    async def ask(self, request: Mapping[str, Any], *bodies: bytes) -> Line:
        """Open a connection and send this request."""


class NodeDownError(LabError):
    """The kernel of a node is not running, or ended during a request."""


class Line:
    """A connection to the agent, frame by frame."""

    def __init__(
        self, answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.answers = answers
        self._reader = reader
        self._writer = writer

    async def receive(self, *expected: bytes) -> tuple[bytes, bytes]:
        """The next frame, of one of these kinds; EOFError at the end, OSError for an error of the
        guest's system, AgentError for an invalid answer."""
        try:
            kind, length = wire.HEAD.unpack(await self._reader.readexactly(wire.HEAD.size))
            payload = await self._reader.readexactly(self.answers.length(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError from error
        if kind == wire.FAILED:
            raise self.answers.failure(payload)
        return self.answers.kind(kind, expected), payload

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; does nothing if the connection is closed."""
        if not self._writer.is_closing():
            self._writer.write(wire.pack(kind, payload))

    def close(self) -> None:
        """Close the connection; the agent then ends the program or function of the request."""
        self._writer.close()

    def relay(self) -> socket.socket:
        """Hand the connection over: a non-blocking socket for the following bytes. It ends with
        the node, and the connection ends with it."""
        inner, outer = socket.socketpair()
        for end in (inner, outer):
            end.setblocking(False)
        task = asyncio.ensure_future(self._relay(inner))
        _keep(task)
        return outer

    async def _relay(self, inner: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=inner)
        try:
            await asyncio.gather(_pass_on(reader, self._writer), _pass_on(self._reader, writer))
        finally:
            writer.close()
            self._writer.close()


def _keep(task: asyncio.Task[None]) -> None:
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the reader's end, or until either side fails."""
    with suppress(ConnectionError):
        while data := await reader.read(wire.CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


class RemoteProgram:
    """A started program (lab.nodes.base.Process)."""

    def __init__(self, agent: AgentClient, line: Line, pid: int, take: Take, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._agent = agent
        self._line = line
        self._take = take
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.ensure_future(self._listen())
        _keep(self._listening)

    @classmethod
    async def start(
        cls,
        agent: AgentClient,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        take: Take,
        *,
        input: bytes | None = None,
        log: Path = Path(os.devnull),
    ) -> RemoteProgram:
        """Start a program; FileNotFoundError and other errors as for a local program.

        With input, stdout and stderr are separate streams; without, they are one.
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
            line.close()  # the agent then ends the program, which could not be stopped otherwise
            raise
        return cls(agent, line, pid, take, log)

    async def _listen(self) -> None:
        try:
            while True:
                kind, payload = await self._line.receive(*FROM_PROGRAM)
                if kind == wire.ENDED:
                    self._end(self._line.answers.ended(payload))
                elif kind != wire.TAKEN:
                    self._take(kind, payload)
        except EOFError:
            pass
        except (AgentError, OSError) as error:  # raised in `wait`
            if not self._ended.done():
                self._ended.set_exception(error)
                self._ended.exception()  # marks it as retrieved, in case nothing waits
        finally:
            self._line.close()
            if not self._ended.done():  # the node went down
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
        """Wait for its end; its exit code."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        self._line.send(wire.SIGNAL, json.dumps(int(number)).encode())

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `limit` seconds; the rest of its session is killed too."""
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
        """Ignore further output, from processes that it left behind."""
        self._line.close()
