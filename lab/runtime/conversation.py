"""The supervisor's side of one connection to the control socket."""

from __future__ import annotations

import asyncio
import os
import socket
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from lab.boot import wire
from lab.failure import error_report
from lab.runtime.protocol import Event, Run, Watch, event_as_data, request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lab.runtime.protocol import Answer, Emit, Request


class RequestHandler(Protocol):
    """The supervisor's methods that a connection needs."""

    def emit(self, event: Event) -> None:
        """Record an event and notify the watching clients."""

    async def answer(self, request: Request) -> Answer:
        """Answer a request that has a single answer."""

    async def steps(self, request: Run, emit: Emit) -> bool:
        """Execute steps, one request at a time; whether all held."""

    async def history(self, send: Callable[[Event], Awaitable[None]]) -> None:
        """Send every past event, then each new one; never returns."""


class Conversation:
    """A connection: the requests of one client, answered in order until it disconnects."""

    def __init__(self, supervisor: RequestHandler, connection: socket.socket) -> None:
        self._supervisor = supervisor
        self._connection = connection
        self._connection.setblocking(False)

    async def serve(self) -> None:
        """Serve requests until the client disconnects."""
        try:
            while True:
                await self._answer(await self._receive())
        except (EOFError, ConnectionError):
            pass
        finally:
            self._connection.close()

    async def _answer(self, message: wire.Message) -> None:
        try:
            request = request_of(message)
            if isinstance(request, Watch):
                await self._watch()
            elif isinstance(request, Run):
                await self._send(await self._run(request))
            else:
                answer = await self._supervisor.answer(request)
                try:
                    await self._send({"ok": answer.value}, (*answer.lent, *answer.given))
                finally:
                    for descriptor in answer.given:
                        os.close(descriptor)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 (reported to the client)
            await self._send({"error": error_report(error)})
            with suppress(OSError):  # the log's disk may be full
                traceback.print_exception(error)

    async def _run(self, request: Run) -> wire.Message:
        """Send each step's result to this client, and record it in the lab's history. A client that
        disconnects wants no more: others are waiting for their turn."""
        from lab.topology.reading.problems import StepsError  # noqa: PLC0415 (as others of steps)

        results: asyncio.Queue[Event | None] = asyncio.Queue()

        def emit(event: Event) -> None:
            self._supervisor.emit(event)
            results.put_nowait(event)

        work = asyncio.ensure_future(self._supervisor.steps(request, emit))
        work.add_done_callback(lambda _: results.put_nowait(None))
        gone = asyncio.ensure_future(self._gone())
        gone.add_done_callback(lambda _: work.cancel())
        try:
            while (event := await results.get()) is not None:
                await self._send_event(event)
            if work.cancelled():
                raise EOFError("the client has disconnected")
            return {"ok": await work}
        except StepsError as error:
            return {"problems": [asdict(one) for one in error.problems], "of": error.count}
        finally:
            work.cancel()  # the client has disconnected
            gone.cancel()
            await asyncio.wait({gone})  # it no longer reads from the socket

    async def _gone(self) -> None:
        """Return when the client has disconnected."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = self._connection.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                await _until(self._connection, loop.add_reader, loop.remove_reader)
                continue
            except ConnectionError:
                return
            if data:  # its next request, which waits for the end of this one
                await asyncio.get_running_loop().create_future()
            return

    async def _watch(self) -> None:
        """Send the history until the client disconnects; any further message ends it too."""
        tasks = {
            asyncio.ensure_future(self._supervisor.history(self._send_event)),
            asyncio.ensure_future(self._receive()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
        raise EOFError("a watching client may send no further request")

    async def _send_event(self, event: Event) -> None:
        await self._send(event_as_data(event))

    async def _send(self, message: wire.Message, descriptors: Iterable[int] = ()) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                wire.send(self._connection, message, list(descriptors))
            except BlockingIOError:
                await _until(self._connection, loop.add_writer, loop.remove_writer)
            else:
                return

    async def _receive(self) -> wire.Message:
        loop = asyncio.get_running_loop()
        while True:
            try:
                message, descriptors = wire.receive(self._connection)
            except BlockingIOError:
                await _until(self._connection, loop.add_reader, loop.remove_reader)
            else:
                for descriptor in descriptors:
                    os.close(descriptor)
                return message


async def _until(
    connection: socket.socket,
    add: Callable[[int, Callable[[], None]], Any],
    remove: Callable[[int], Any],
) -> None:
    """Wait until the socket is ready."""
    ready = asyncio.Event()
    add(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(connection.fileno())
