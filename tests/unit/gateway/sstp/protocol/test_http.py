"""The HTTP exchange before SSTP: what is accepted, and what is refused with which status."""

from __future__ import annotations

import pytest

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
    accepted,
    refused,
    request,
)

GUID = "{5A5E6B4C-0B3C-4C57-9A6D-3C9B0E1D2F30}"


def asked(
    line: str = f"{METHOD} {PATH} HTTP/1.1",
    *fields: str,
    length: str = f"Content-Length: {ENDLESS}",
    host: str = "Host: gw.example",
) -> bytes:
    lines = [line, *(field for field in (length, host) if field), *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def status(data: bytes) -> int:
    answer = RequestReader().feed(data)
    assert isinstance(answer, Refusal), answer
    return answer.status.value


def test_our_own_request_is_understood() -> None:
    reader = RequestReader()
    assert reader.feed(request("gw.example", GUID)) == Request("gw.example", GUID)
    assert reader.rest == b""


def test_a_request_may_come_byte_by_byte_and_what_follows_it_is_kept() -> None:
    reader = RequestReader()
    whole = request("gw.example", GUID)
    for at in range(len(whole) - 1):
        assert reader.feed(whole[at : at + 1]) is None
    assert reader.feed(whole[-1:] + b"\x10\x01") == Request("gw.example", GUID)
    assert reader.rest == b"\x10\x01"


def test_what_follows_a_request_is_kept_however_long_it_is() -> None:
    reader = RequestReader()
    assert reader.feed(request("gw.example", GUID) + bytes(3 * LONGEST_HEADER))
    assert reader.rest == bytes(3 * LONGEST_HEADER)


@pytest.mark.parametrize(
    "line",
    [
        f"{METHOD} {PATH.lower()} HTTP/1.1",
        f"{METHOD} /sra_%7BBA195980-CD49-458b-9E23-C84EE0ADCD75%7d/ HTTP/1.1",
        f"{METHOD} {PATH}?tenantid=contoso HTTP/1.1",
        f"{METHOD} https://gw.example{PATH} HTTP/1.1",
    ],
)
def test_the_path_is_matched_leniently(line: str) -> None:
    assert RequestReader().feed(asked(line)) == Request("gw.example", "")


def test_header_names_are_matched_in_any_case() -> None:
    data = asked(
        f"{METHOD} {PATH} HTTP/1.1",
        f"sstpCorrelationId:{GUID.strip('{}')}  ",
        length=f"CONTENT-LENGTH: {ENDLESS}",
        host="hOST:\tgw.example",
    )
    assert RequestReader().feed(data) == Request("gw.example", GUID.strip("{}"))


def test_the_request_of_the_real_sstpc_is_understood() -> None:
    data = (  # sstpc 1.0.18 to our own server
        b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Length: 18446744073709551615\r\n"
        b"SSTPCORRELATIONID: {36352B4B-598D-77CF-5CBC42F0}\r\n\r\n"
    )
    expected = Request("localhost", "{36352B4B-598D-77CF-5CBC42F0}")
    assert RequestReader().feed(data) == expected


def test_a_correlation_id_that_is_no_identifier_is_left_out() -> None:
    data = asked(f"{METHOD} {PATH} HTTP/1.1", "SSTPCORRELATIONID: \x80<script>")
    assert RequestReader().feed(data) == Request("gw.example", "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"GET {PATH} HTTP/1.1", 405),
        ("POST / HTTP/1.1", 405),
        (f"SSTP_POST {PATH} HTTP/1.1", 501),
        (f"sstp_duplex_post {PATH} HTTP/1.1", 501),
        (f"{METHOD} / HTTP/1.1", 404),
        (f"{METHOD} {PATH}more HTTP/1.1", 404),
        (f"{METHOD} {PATH} HTTP/1.0", 505),
        ("PRI * HTTP/2.0", 505),
        (f"{METHOD} {PATH}", 400),
        (f"{METHOD}  {PATH} HTTP/1.1", 400),
        ("", 400),
    ],
)
def test_another_request_line_is_refused(line: str, expected: int) -> None:
    assert status(asked(line)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"length": ""}, 411),
        ({"length": "Content-Length: 0"}, 400),
        ({"length": "Content-Length: many"}, 400),
        ({"length": f"Content-Length: {ENDLESS}\r\nContent-Length: {ENDLESS}"}, 400),
        ({"length": f"Content-Length: {ENDLESS}\r\nTransfer-Encoding: chunked"}, 400),
        ({"host": ""}, 400),
        ({"host": "Host: a\r\nHost: b"}, 400),
        ({"host": "Host: two words"}, 400),
        ({"host": "Host : gw.example"}, 400),
        ({"host": "Host: gw.example\r\n folded"}, 400),
        ({"host": "Host: gw\0example"}, 400),
        ({"host": "no field"}, 400),
        ({"host": "Host: gw.example\r\nX-Other: a\0b"}, 400),
    ],
)
def test_wrong_header_fields_are_refused(fields: dict[str, str], expected: int) -> None:
    assert status(asked(**fields)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"\x10\x01\x00\x0e",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HELO\n",
        f"{METHOD} {PATH} HTTP/1.1\n".encode(),
        f"{METHOD} {PATH} HTTP/1.1x\n".encode(),
        b"GET\xff",
    ],
)
def test_what_is_not_http_is_refused_without_waiting_for_more(data: bytes) -> None:
    assert status(data) == 400


def test_a_header_that_is_too_long_is_refused_and_not_kept() -> None:
    reader = RequestReader()
    answer = reader.feed(asked()[:-2] + b"X: " + b"x" * 1_000_000)
    assert isinstance(answer, Refusal)
    assert answer.status.value == 431
    assert len(reader._reader._header) == LONGEST_HEADER


def test_a_header_that_never_ends_is_refused_when_it_is_too_long() -> None:
    reader = RequestReader()
    assert reader.feed(asked()[:-2]) is None
    answers = [reader.feed(b"X-Again: x\r\n") for _ in range(LONGEST_HEADER // 12)]
    assert isinstance(answers[-1], Refusal)
    assert answers[-1].status.value == 431
    assert answers.index(answers[-1]) > 600


def test_a_405_says_which_method_is_allowed() -> None:
    answer = RequestReader().feed(asked("GET / HTTP/1.1"))
    assert isinstance(answer, Refusal)
    assert refused(answer.status, "p2slab", 0) == (
        b"HTTP/1.1 405 Method Not Allowed\r\nAllow: SSTP_DUPLEX_POST\r\nContent-Length: 0\r\n"
        b"Connection: close\r\nServer: p2slab\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
    )


def test_the_answer_200_promises_an_endless_body() -> None:
    assert accepted("p2slab", 1163033469) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nServer: p2slab\r\n"
        b"Date: Thu, 09 Nov 2006 00:51:09 GMT\r\n\r\n"
    )


def test_a_client_reads_the_answer_and_keeps_what_follows() -> None:
    reader = ResponseReader()
    assert reader.feed(accepted("p2slab", 0) + b"\x10") == Response(200, "OK")
    assert reader.rest == b"\x10"


def test_a_client_reads_an_answer_without_a_phrase() -> None:
    assert ResponseReader().feed(b"HTTP/1.1 503\r\n\r\n") == Response(503, "")


@pytest.mark.parametrize("data", [b"\x15\x03\x01", b"220 smtp\r\n", b"HTTP/1.1 abc\r\n"])
def test_a_client_refuses_what_is_no_answer(data: bytes) -> None:
    assert isinstance(ResponseReader().feed(data), Refusal)
