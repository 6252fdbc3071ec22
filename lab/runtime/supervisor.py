"""The supervisor process: builds the lab, records its events, serves the control socket."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from gateway.common.rotation import keep_small
from gateway.common.turns import own_turns
from lab.choices import did_you_mean, spelling
from lab.errors import UsageError
from lab.failure import error_report
from lab.nodes.base import Node
from lab.runtime import journal, protocol
from lab.runtime.conversation import Conversation
from lab.runtime.directory import RunDirectory
from lab.runtime.protocol import Answer, Body, Event, Failed, Ready, Waiting


class StartState(NamedTuple):
    """Measured before the lab's processes were started."""

    at: float
    """time.monotonic()."""
    refused: int
    """lab.kernel.neighbour_table.refused(), which cannot be read from inside a lab."""


READY = "ready\n"
"""Written to the readiness pipe; any other line is an error report (JSON)."""
GRACE = 0.01
"""Seconds for sending the answer to `down`."""


def supervise(
    directory: RunDirectory,
    listener: socket.socket,
    make_body: Callable[[Path], Body],
    *,
    ready: int,
    began: StartState,
) -> None:
    """Supervise a lab until `down`; a line on `ready` reports that the control socket is served."""
    supervisor = Supervisor(directory, make_body(directory.logs), began)
    asyncio.run(supervisor.serve(listener, ready))


class Supervisor:
    """One lab: its body, its state and its history of events."""

    def __init__(self, directory: RunDirectory, body: Body, began: StartState) -> None:
        self._directory = directory
        self._body = body
        self._began = began
        self._state = "building"
        self._history: list[Event] = []
        self._news = asyncio.Event()
        self._steps = asyncio.Lock()
        self._busy_with = ""
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket, ready: int) -> None:
        """Build the lab and serve requests until `down`."""
        listener.setblocking(False)
        os.write(ready, READY.encode())
        self._keep(self._build())
        self._keep(self._accept(listener))
        self._keep(keep_small(self._logs))
        await self._over.wait()
        sys.stdout.flush()
        os._exit(0)  # PID 1 then ends too, and the kernel kills all other processes

    def _logs(self) -> Iterator[Path]:
        """The logs to keep small, when the journal, which keeps itself small, has what is in
        them."""
        self._body.settle()
        for log in self._directory.logs.rglob("*.log"):
            if log.name != journal.NAME:
                yield log
        yield from self._body.own_logs()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _build(self) -> None:
        try:
            await self._body.build(self.emit)
        except Exception as error:  # noqa: BLE001 (reported to all watching clients)
            self._state = "failed"
            self.emit(Failed(**error_report(error)))
            with suppress(OSError):  # the log's disk may be full
                traceback.print_exception(error)
        else:
            self._state = "ready"
            self.emit(Ready(seconds=round(self._age, 3)))

    def emit(self, event: Event) -> None:
        """Record an event and notify the watching clients."""
        self._history.append(event)
        self._news.set()
        self._news = asyncio.Event()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            self._keep(Conversation(self, connection).serve())

    async def answer(self, request: protocol.Request) -> Answer:
        """Answer a request that has a single answer."""
        match request:
            case protocol.Status():
                return Answer(await self._status())
            case protocol.Enter(node=name):
                return await self._entrance(self._node(name))
            case protocol.Namespaces():
                return Answer(None, (_namespace("user"), _namespace("mnt")))
            case protocol.Down():
                asyncio.get_running_loop().call_later(GRACE, self._over.set)
                return Answer(None)
            case protocol.Explain():
                self._refuse_unready()
                found = await self._body.explain(request.subject, request.to, request.size)
                return Answer(found)
            case protocol.Watch() | protocol.Run():
                raise TypeError("its conversation answers it")
            case _:
                return Answer(await self._execute(request))

    async def _execute(
        self,
        request: protocol.Exec
        | protocol.Operate
        | protocol.Decide
        | protocol.Package
        | protocol.Expected
        | protocol.Names
        | protocol.Settle,
    ) -> Any:
        """Execute a request to a node or to the body of the lab."""
        body = self._body
        match request:
            case protocol.Exec():
                node = self._node(request.node)
                ended = await node.run(request.argv, input=request.input, limit=request.limit)
                value: Any = asdict(ended)
            case protocol.Operate():
                value = await body.operate(request.gateway, request.action, request.body)
            case protocol.Decide():
                value = await body.decide(request.user, approve=request.approve)
            case protocol.Expected():
                value = body.expected()
            case protocol.Names():
                value = {"nodes": sorted(body.nodes), **body.names()}
            case protocol.Settle():
                body.settle()
                value = None
            case protocol.Package():
                self._refuse_unready()
                value = base64.b64encode(await body.package(request.name)).decode()
        return value

    async def _entrance(self, node: Node) -> Answer:
        way = await node.entrance()
        if way.kind == "agent":
            return Answer(way.kind, given=way.descriptors)
        return Answer(way.kind, (*way.descriptors, _namespace("ipc")))

    async def _status(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "nodes": [{"name": name} for name in self._body.nodes],
            "clients": [],
        }
        if self._state == "ready":
            about |= await self._body.status()
        return about | {
            "topology": about.get("name"),
            "name": self._directory.name,
            "state": self._state,
            "age": round(self._age, 1),
            "processor": {"the supervisor": own_turns(), **about.get("processor", {})},
            "neighboursRefusedBefore": self._began.refused,
            "logs": str(self._directory.outside / "log"),
        }

    @property
    def _age(self) -> float:
        return time.monotonic() - self._began.at

    async def steps(self, request: protocol.Run, emit: protocol.Emit) -> bool:
        """Execute steps, one request at a time; whether all held."""
        from lab.topology.model.steps import text_of  # noqa: PLC0415 (pydantic: after the world is built)

        self._refuse_unready()
        steps = self._body.checked(request.steps)
        if self._steps.locked():
            emit(Waiting(text=self._busy_with))
        async with self._steps:
            self._busy_with = text_of(steps[0]) if steps else ""
            return await self._body.run(steps, emit)

    def _refuse_unready(self) -> None:
        if self._state != "ready":
            name = self._directory.name
            raise UsageError(f"lab {name} is {self._state}, not ready", f"p2slab status {name}")

    async def history(self, send: Callable[[Event], Awaitable[None]]) -> None:
        """Send every past event, then each new one; never returns."""
        known = 0
        while True:
            news = self._news
            while known < len(self._history):
                await send(self._history[known])
                known += 1
            await news.wait()

    def _node(self, name: str) -> Node:
        nodes = self._body.nodes
        found = spelling(nodes).get(name.casefold())
        if found is None:
            remedy = did_you_mean(name, frozenset(nodes))
            raise UsageError(f"lab {self._directory.name} has no node {name!r}", remedy)
        return nodes[found]


@cache
def _namespace(kind: str) -> int:
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
