"""HTTP/1.1 on a Unix socket, as far as an API needs it (RFC 9112): one request after the other on a
connection, bodies with Content-Length.

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
    last: bool = False
    """The client wants no other answer on this connection."""


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
        try:
            last = False
            while not last and (request := await self._read(reader, writer)):
                self._busy.add(task)
                writer.write(_encoded(await self._answer(request)))
                await writer.drain()
                self._busy.discard(task)
                last = request.last
        except HttpError as error:
            writer.write(_encoded(self._refuse(error)))
            writer.write_eof()
            await _heard(reader)
        except (ConnectionError, asyncio.IncompleteReadError):  # the client is gone
            pass
        finally:
            self._busy.discard(task)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        """The next request; None: there is none. HttpError, ConnectionError."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        method, target, headers = _parsed(head.decode("latin-1"))
        if "transfer-encoding" in headers:
            raise HttpError(HTTPStatus.LENGTH_REQUIRED)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise HttpError(HTTPStatus.BAD_REQUEST)
        if len(length) > len(str(self._largest)) or int(length) > self._largest:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        last = headers.get("connection", "").lower() == "close"
        body = await reader.readexactly(int(length))
        return Request(method, target.partition("?")[0], body, last=last)


def _parsed(head: str) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers, by names in small letters. HttpError: it is no HTTP, or has a
    header twice, of which one might be believed here and the other elsewhere."""
    line, *rows = head[:-4].split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1":
        raise HttpError(HTTPStatus.BAD_REQUEST)
    headers: dict[str, str] = {}
    for row in rows:
        name, colon, value = row.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            raise HttpError(HTTPStatus.BAD_REQUEST)
        headers[name.lower()] = value.strip()
    return words[0], words[1], headers


def _encoded(response: Response) -> bytes:
    status = HTTPStatus(response.status)
    rows = [f"HTTP/1.1 {status.value} {status.phrase}"]
    if status != HTTPStatus.NO_CONTENT:
        rows.append(f"Content-Length: {len(response.body)}")
    if response.body:
        rows.append(f"Content-Type: {response.content_type}")
    return "\r\n".join([*rows, "", ""]).encode() + response.body


async def _heard(reader: asyncio.StreamReader) -> None:
    """Let a client read why its request was cut off: while it sends, it may not listen."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            while await reader.read(LARGEST_HEAD):
                pass
