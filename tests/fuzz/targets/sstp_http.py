"""The HTTP request before SSTP, and the answer to it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from http import HTTPStatus

from gateway.sstp.protocol import http
from gateway.sstp.protocol.http import (
    ENDLESS,
    LONGEST_HEADER,
    METHOD,
    PATH,
    Refusal,
    Request,
    RequestReader,
    Response,
    ResponseReader,
)
from tests.fuzz.engine import Target
from tests.fuzz.mutations import of_bytes, of_text


def seeds() -> list[bytes]:
    braces = PATH.replace("{", "%7B").replace("}", "%7d")
    return [
        http.request("gw.example", "{8DE40B29-1F3C-4C12-9C6D-2F8A7A2E1D55}"),
        http.request("203.0.113.2:443", "") + bytes(range(20)),
        f"{METHOD} https://gw{braces}?tenantid=1 HTTP/1.1\r\nhost:[::1]:1\r\nContent-Length:\t"
        f"{ENDLESS} \r\nX: y\r\n\r\n".encode(),
        f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
        f"{METHOD} {PATH} HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode(),
        http.accepted("p2slab", 0),
        http.refused(HTTPStatus.METHOD_NOT_ALLOWED, "p2slab", 0),
        http.refused(HTTPStatus.SERVICE_UNAVAILABLE, "p2slab", 0),
    ]


def run(data: bytes) -> None:
    """Where a header is cut makes no difference; what is taken is written as it was understood."""
    for reader in (RequestReader, ResponseReader):
        whole = reader()
        expected = whole.feed(data)
        pieces = reader()
        assert _piecewise(pieces, data) == expected
        assert len(pieces._reader._header) <= LONGEST_HEADER
        if isinstance(expected, Request | Response):
            assert data.endswith(whole.rest)
        elif isinstance(expected, Refusal):
            answer = http.refused(expected.status, "p2slab", 0)
            assert answer.count(b"\r\n\r\n") == 1
            assert expected.why.isprintable(), "it goes into a log"
        if isinstance(expected, Request):
            again = RequestReader().feed(http.request(expected.host, expected.correlation_id))
            assert again == expected


def _piecewise(reader: RequestReader | ResponseReader, data: bytes) -> object:
    dice = random.Random(len(data))
    at = 0
    while at < len(data):
        size = dice.choice((1, 2, 3, 50, 5000))
        answer = reader.feed(data[at : at + size])
        if answer is not None:
            return answer
        at += size
    return reader.feed(b"")


def mutate(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return (of_bytes if dice.randrange(3) == 0 else of_text)(dice, data, others)


TARGETS = (Target("http", seeds, run, ("gateway/sstp/protocol/http.py",), mutate, quick=4000),)
