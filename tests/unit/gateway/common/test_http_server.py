"""HTTP on a Unix socket: what is answered, what is refused, and when a connection ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.common.http_server import (
    LARGEST_HEAD,
    HttpError,
    HttpServer,
    Request,
    Response,
    route,
)
from tests.rigs.patience import PATIENCE

if TYPE_CHECKING:
    from gateway.common.http_server import Routes

LARGEST = 100


class Api:
    """Answers with what was asked; `/slow` not before it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked: asyncio.Queue[Request] = asyncio.Queue()

    async def answer(self, request: Request) -> Response:
        self.asked.put_nowait(request)
        if request.path == "/slow":
            await self.go_on.wait()
        return Response(body=f"{request.method} {request.path} ".encode() + request.body)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def server(api: Api, tmp_path: Path) -> AsyncIterator[HttpServer]:
    server = HttpServer(api.answer, lambda error: Response(error.status, b"no"), LARGEST)
    await server.start(tmp_path / "socket")
    yield server
    await server.cleanup()


async def sent(tmp_path: Path, data: bytes) -> bytes:
    """All that is answered until the server ends the connection, or the client has nothing more."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
        writer.write(data)
        writer.write_eof()
        told = await reader.read()
        writer.close()
        await writer.wait_closed()
    return told


def statuses(told: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d+) ", told)]


@pytest.mark.usefixtures("server")
async def test_requests_are_answered_in_order_with_their_bodies(tmp_path: Path) -> None:
    told = await sent(
        tmp_path,
        b"PUT /a?api-version=1 HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 3\r\n\r\nabc"
        b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    assert statuses(told) == [200, 200]
    assert [part.partition(b"\r\n\r\n")[2] for part in told.split(b"HTTP/1.1 ")[1:]] == [
        b"PUT /a abc",
        b"GET /b ",
    ]


@pytest.mark.usefixtures("server")
async def test_a_client_may_want_no_more_and_may_wait_with_its_body(tmp_path: Path) -> None:
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(await sent(tmp_path, last + last)) == [200]
    chunks = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    assert statuses(await sent(tmp_path, chunks + b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")) == [
        200,
        200,
    ]
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert statuses(await reader.readuntil(b"\r\n\r\n")) == [100]
    writer.write(b"x")
    assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
    writer.close()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / x HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" + bytes(101), 413),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET /" + b"x" * 3 * LARGEST_HEAD + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused_and_ends_the_connection(
    tmp_path: Path, api: Api, data: bytes, status: int
) -> None:
    told = await sent(tmp_path, data + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(told) == [status]
    assert api.asked.empty()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "data", [b"", b"GET", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx"]
)
async def test_a_request_that_is_cut_off_is_none(tmp_path: Path, api: Api, data: bytes) -> None:
    assert await sent(tmp_path, data) == b""
    assert api.asked.empty()


async def test_an_end_lets_pending_requests_end_and_closes_idle_connections(
    tmp_path: Path, api: Api
) -> None:
    server = HttpServer(api.answer, lambda _: Response(), LARGEST)
    await server.start(tmp_path / "socket")
    idle, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    pending = asyncio.create_task(sent(tmp_path, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
    await api.asked.get()
    ending = asyncio.create_task(server.cleanup())
    await asyncio.sleep(0)
    api.go_on.set()
    await ending
    assert statuses(await pending) == [200]
    assert await idle.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_unix_connection(tmp_path / "socket")


async def _list(_: Request) -> Response:
    return Response()


async def _get(_: Request) -> Response:
    return Response()


ROUTES: Routes = {"/things": {"GET": _list}, "/things/{name}": {"GET": _get}}


@pytest.mark.parametrize(
    ("path", "answer", "name"),
    [
        ("/things", _list, ""),
        ("/things/a", _get, "a"),
        ("/things/a%2Fb%20c", _get, "a/b c"),
        ("/things/{name}", _get, "{name}"),
    ],
)
def test_a_name_is_the_last_part_of_a_path(path: str, answer: object, name: str) -> None:
    assert route(ROUTES, Request("GET", path)) == (answer, name)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/things/", 404),
        ("GET", "/things/a/b", 404),
        ("GET", "/{name}", 404),
        ("PUT", "/things", 405),
        ("PUT", "/things/a", 405),
    ],
)
def test_what_nothing_answers_is_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        route(ROUTES, Request(method, path))
    assert caught.value.status == status
