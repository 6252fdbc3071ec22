"""HTTP/1.1 on a Unix socket: h11 with asyncio, one request after the other on a connection.

In place of aiohttp, whose import would cost every gateway 0.2 s of processor time and 25 MB.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

import h11

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    Answer = Callable[["Request"], Awaitable["Response"]]
    Routes = Mapping[str, Mapping[str, Answer]]
    """By path and method; the last part of a path may be {name}."""

LARGEST_HEAD = 65536
"""Bytes of a request without its body."""
GOODBYE = 1.0
"""Seconds that pending requests get when the server stops, and a client to hear why it is cut
off."""


@dataclass(frozen=True)
class Request:
    """A request; `name`: what stands for {name} in its path."""

    method: str
    path: str
    body: bytes = b""
    name: str = ""


@dataclass(frozen=True)
class Response:
    """An answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


class HttpError(Exception):
    """The request cannot be answered, for a reason of HTTP."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(f"{status.value}: {status.phrase}")
        self.status = status


def route(routes: Routes, request: Request) -> tuple[Answer, str]:
    """What answers the request, and what stands for {name}. HttpError: nothing does."""
    above, _, last = request.path.rpartition("/")
    named = [(f"{above}/{{name}}", unquote(last))] if last else []
    for path, name in (*named, (request.path, "")):
        if path in routes:
            if request.method not in routes[path]:
                raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED)
            return routes[path][request.method], name
    raise HttpError(HTTPStatus.NOT_FOUND)


class HttpServer:
    """Answers each request by `answer`; `refuse` makes the answer to one that is no good."""

    def __init__(
        self, answer: Answer, refuse: Callable[[HttpError], Response], largest: int
    ) -> None:
        """`largest`: bytes of a body."""
        self._answer = answer
        self._refuse = refuse
        self._largest = largest
        self._open: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def start(self, path: Path) -> None:
        """Listen on a Unix socket that only its owner may use. OSError."""
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, str(path), limit=LARGEST_HEAD
            )
        finally:
            os.umask(mask)

    async def cleanup(self) -> None:
        """Stop listening, let pending requests end, and close all connections."""
        self._server.close()
        if self._busy:
            await asyncio.wait(self._busy, timeout=GOODBYE)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client ends the connection or asks for something wrong."""
        task = asyncio.current_task()
        assert task
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        try:
            while request := await self._read(http, reader, writer):
                self._busy.add(task)
                answer = await self._answer(request)
                await _write(http, writer, answer, bare=request.method == "HEAD")
                self._busy.discard(task)
                if http.our_state is not h11.DONE:  # the client wants no other answer
                    return
                http.start_next_cycle()
        except HttpError as error:
            await _write(http, writer, self._refuse(error))
            writer.write_eof()
            await _heard(reader)
        except (ConnectionError, h11.LocalProtocolError):  # the client is gone
            pass
        finally:
            self._busy.discard(task)

    async def _read(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        """The next request; None: there is none. HttpError, ConnectionError."""
        head, body = None, bytearray()
        while True:
            event = await _next(http, reader, writer)
            match event:
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                    if len(body) > self._largest:
                        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                case h11.EndOfMessage():
                    assert head
                    path = head.target.decode("ascii").partition("?")[0]
                    return Request(head.method.decode("ascii"), path, bytes(body))
                case _:
                    return None


async def _next(
    http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
    """The next event, for which more is read. HttpError, ConnectionError."""
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, reason="Continue", headers=[])
                writer.write(http.send(go_on) or b"")
            if not (data := await reader.read(LARGEST_HEAD)):
                raise ConnectionError("the client has nothing more to say")
            http.receive_data(data)
    except h11.RemoteProtocolError as error:
        raise HttpError(HTTPStatus(error.error_status_hint)) from error
    return event


async def _write(
    http: h11.Connection, writer: asyncio.StreamWriter, response: Response, *, bare: bool = False
) -> None:
    """Send the response; `bare`: without its body."""
    status = HTTPStatus(response.status)
    headers = [("Content-Type", response.content_type)] if response.body else []
    if status != HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(response.body))))
    events = (
        h11.Response(status_code=status, reason=status.phrase, headers=headers),
        *((h11.Data(response.body),) if response.body and not bare else ()),
        h11.EndOfMessage(),
    )
    for event in events:
        writer.write(http.send(event) or b"")
    await writer.drain()


async def _heard(reader: asyncio.StreamReader) -> None:
    """Let a client read why its request was cut off: while it sends, it may not listen."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            while await reader.read(LARGEST_HEAD):
                pass
