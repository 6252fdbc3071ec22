"""A node with user-mode Linux as its own kernel, for features that the machine's kernel lacks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from lab.errors import LabError
from lab.guest import wire
from lab.nodes.base import Completed, Entrance
from lab.nodes.files import refuse_foreign
from lab.nodes.namespace import QUOTED, NamespaceNode, open_log, packet_socket
from lab.nodes.uml_answers import Answers, name_of
from lab.nodes.uml_machine import Machine
from lab.nodes.uml_network import NO_NEIGHBOURS, cables, lay_taps
from lab.nodes.uml_program import Line, NodeDownError, RemoteProgram, Take
from lab.topology.planning.neighbours import Neighbours
from lab.topology.planning.plan import Plan
from lab.waiting import patience

T = TypeVar("T")


class UmlNode:
    """A computer of the lab (lab.nodes.base.Node) whose kernel runs in a NamespaceNode, its place.

    Its files: the place's /usr and others, read-only; /etc and /var, writable; /run and /tmp,
    empty. Only its own programs see them.
    """

    def __init__(
        self, place: NamespaceNode, plan: Plan, logs: Path, known: Neighbours = NO_NEIGHBOURS
    ) -> None:
        """`place` was built from lab.nodes.uml_network.outside(plan); `known`: its neighbours."""
        self.name = place.name
        self._place = place
        self._logs = logs / place.name
        self._ends = cables(plan, place.name, known)
        node = next(node for node in plan.nodes if node.name == place.name)
        self._make = partial(Machine, place, node, self._ends)
        self._machine: Machine | None = None
        self._answers = Answers(place.name)

    @property
    def kernel(self) -> str:
        """Its kernel."""
        return f"user-mode Linux {self._machine.release if self._machine else ''}".strip()

    @property
    def run_directory(self) -> Path:
        """LabError: the supervisor cannot see the node's files."""
        raise LabError(f"{self.name} has its own kernel: use connect() or read()")

    async def boot(self) -> None:
        """Create its taps and start it; the agent answers when this returns."""
        await self._place.call(partial(lay_taps, self._place.network, self._ends))
        await self._start()

    async def _start(self) -> None:
        machine = self._make()
        await machine.boot()
        self._machine = machine

    @property
    def _running(self) -> Machine:
        if self._machine is None:
            raise LabError(f"{self.name} has not booted yet")
        return self._machine

    async def ask(self, request: Mapping[str, object], *bodies: bytes) -> Line:
        """Open a connection to the agent and send a request."""
        return await self._running.ask(request, *bodies)

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; TimeoutError with its output after `limit` seconds."""
        streams = {wire.OUTPUT: bytearray(), wire.ERRORS: bytearray()}

        def take(kind: bytes, data: bytes) -> None:
            streams[kind] += data
            self._answers.total(sum(map(len, streams.values())))

        def completed(code: int) -> Completed:
            return Completed(code, *(data.decode(errors="replace") for data in streams.values()))

        program = await self._program(argv, env, take, input=input.encode())
        try:
            async with patience(limit):
                return completed(await program.wait())
        except TimeoutError:
            output = completed(0).output[-QUOTED:] or "none"
            message = f"{self.name}: {argv[0]} did not end within {limit:g} s; output: {output}"
            raise TimeoutError(message) from None
        finally:
            if program.code is None:
                await program.kill()
            program.forget()

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> RemoteProgram:
        """Start a program; its output goes to `log/<node>/<log>.log` of the run directory."""
        path, descriptor = open_log(self._logs, log)
        os.close(descriptor)

        def take(_: bytes, data: bytes) -> None:
            with os.fdopen(open_log(self._logs, log)[1], "ab") as file:
                file.write(data)

        return await self._program(argv, env, take, log=path)

    async def _program(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        take: Take,
        *,
        input: bytes | None = None,
        log: Path = Path(os.devnull),
    ) -> RemoteProgram:
        try:
            return await RemoteProgram.start(self, argv, env, take, input=input, log=log)
        except EOFError:
            raise NodeDownError(f"{self.name} went down before {argv[0]} had started") from None

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function inside the node."""
        name, arguments, keywords = name_of(function)
        request = {"do": "call", "function": name, "arguments": arguments, "keywords": keywords}
        kind, payload = await self._request(request)
        if kind == wire.RAISED:
            raise self._answers.raised(payload, name)
        result: T = self._answers.result(payload, function)
        return result

    async def wait_for(self, function: Callable[[], T]) -> T:
        """Like `call`: the agent runs every call in a separate thread."""
        return await self.call(function)

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file at the node's `path`; only /run, /tmp and /etc belong to the node."""
        content = data.encode() if isinstance(data, str) else data
        where = str(refuse_foreign(path))
        await self._request({"do": "write", "path": where, "mode": mode}, content)

    async def read(self, path: str) -> bytes:
        """The content of the file at the node's `path`."""
        return (await self._request({"do": "read", "path": path}))[1]

    async def _request(self, request: Mapping[str, object], *bodies: bytes) -> tuple[bytes, bytes]:
        """Send a request; the whole answer. OSError if the guest's system refuses it."""
        line = await self.ask(request, *bodies)
        answer = bytearray()
        try:
            while True:
                kind, payload = await line.receive(wire.BODY, wire.DONE, wire.RAISED)
                answer += payload
                self._answers.total(len(answer))
                if kind in (wire.DONE, wire.RAISED):
                    return kind, bytes(answer)
        except EOFError:
            raise NodeDownError(f"{self.name} went down before it had answered") from None
        finally:
            line.close()

    async def connect(self, path: str) -> socket.socket:
        """A non-blocking connection to the Unix socket at the node's `path`."""
        line = await self.ask({"do": "connect", "path": path})
        try:
            await line.receive(wire.DONE)
        except BaseException:
            line.close()
            raise
        return line.relay()

    async def entrance(self) -> Entrance:
        """A new connection to its agent, without a request yet."""
        line = Line(self._answers, *await self._running.connect())
        return Entrance("agent", (line.relay().detach(),))

    async def sniff(self) -> socket.socket:
        """A packet socket on the node's only cable."""
        return await self._place.call(partial(packet_socket, self._ends[0].end.interface))

    async def reboot(self) -> None:
        """Power the kernel off and boot it again."""
        if self._machine:
            await self._machine.end()
        await self._start()
