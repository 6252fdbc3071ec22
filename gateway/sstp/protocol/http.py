"""The HTTP exchange before SSTP ([MS-SSTP] sections 3.2.4.1 and 4.1; RFC 9110, RFC 9112).

The client sends SSTP_DUPLEX_POST with a Content-Length of 2^64-1 and no body; after the answer 200,
both sides send SSTP packets. Field names and the path are case-insensitive, and the path's braces
may be percent-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPMethod, HTTPStatus

METHOD = "SSTP_DUPLEX_POST"
PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
ENDLESS = 2**64 - 1
LONGEST_HEADER = 8192
"""Maximum bytes of a request's or answer's header; sstpc 1.0.18 sends 170 plus its host name."""

_END = b"\r\n\r\n"
_UNPRINTABLE = re.compile(rb"[^ -~\r\n]")
_WORD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REQUEST = re.compile(rf"(?P<method>{_WORD.pattern}) (?P<target>[!-~]+) HTTP/(?P<version>\d\.\d)")
_STATUS = re.compile(r"HTTP/1\.\d (?P<status>\d{3})(?: (?P<phrase>[ -~]*))?")
_ORIGIN = re.compile(r"^https?://[^/?#]*", re.IGNORECASE)
_HOST = re.compile(r"[0-9A-Za-z._:\[\]-]{0,255}")
_CORRELATION_ID = re.compile(r"\{?[0-9A-Fa-f-]{1,64}\}?")
"""According to the specification a GUID; sstpc 1.0.18 sends one that is eight digits short."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a call. `correlation_id` is the client's, empty if it sent none."""

    host: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request, with any status."""

    status: int
    phrase: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the answer is not 200: the status to send, and a line for the log."""

    status: HTTPStatus
    why: str


class HeaderReader:
    """Collects a header up to its empty line, at most LONGEST_HEADER bytes.

    Other protocols are refused early: at a byte that cannot be part of the first line, or a first
    line that does not match `first`. `rest`: the data after the empty line.
    """

    def __init__(self, first: re.Pattern[str]) -> None:
        self._first: re.Pattern[str] | None = first
        self._header = bytearray()
        self.rest = b""

    def feed(self, data: bytes) -> list[str] | Refusal | None:
        """The header's lines once it is complete; None: it is not."""
        header = self._header
        old = len(header)
        taken = data[: LONGEST_HEADER - old]
        header += taken
        if self._first and not self._speaks_http(self._first, taken):
            return Refusal(HTTPStatus.BAD_REQUEST, "not HTTP")
        end = header.find(_END, max(0, old - len(_END) + 1))
        if end >= 0:
            after = end + len(_END)
            self.rest = bytes(header[after:]) + data[len(taken) :]
            return header[:end].decode("latin-1").split("\r\n")
        if len(header) >= LONGEST_HEADER:
            limit = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            return Refusal(limit, f"a header longer than {LONGEST_HEADER} bytes")
        return None

    def _speaks_http(self, first: re.Pattern[str], data: bytes) -> bool:
        if b"\n" not in data:
            return not _UNPRINTABLE.search(data)
        self._first = None
        line = self._header[: self._header.index(b"\n")]
        return bool(line.endswith(b"\r") and first.fullmatch(line[:-1].decode("latin-1")))


class RequestReader:
    """The server's side: reads the one request of a connection."""

    def __init__(self) -> None:
        self._reader = HeaderReader(_REQUEST)

    @property
    def rest(self) -> bytes:
        """The data after the header: SSTP packets, if the client did not wait for the answer."""
        return self._reader.rest

    def feed(self, data: bytes) -> Request | Refusal | None:
        """The request or its refusal, as soon as known; None: the request is incomplete."""
        lines = self._reader.feed(data)
        return _request(lines) if isinstance(lines, list) else lines


class ResponseReader:
    """The client's side: reads the answer."""

    def __init__(self) -> None:
        self._reader = HeaderReader(_STATUS)

    @property
    def rest(self) -> bytes:
        """The data after the header."""
        return self._reader.rest

    def feed(self, data: bytes) -> Response | Refusal | None:
        """The answer; a Refusal if it is not HTTP; None: the answer is incomplete."""
        lines = self._reader.feed(data)
        if not isinstance(lines, list):
            return lines
        status = _STATUS.fullmatch(lines[0])
        assert status is not None
        return Response(int(status["status"]), status["phrase"] or "")


def request(host: str, correlation_id: str) -> bytes:
    """The client's request."""
    return _header(
        f"{METHOD} {PATH} HTTP/1.1",
        f"SSTPCORRELATIONID: {correlation_id}",
        f"Content-Length: {ENDLESS}",
        f"Host: {host}",
    )


def accepted(server: str, unix_time: float) -> bytes:
    """The answer 200. `server` is the value of the Server field."""
    return _header(
        "HTTP/1.1 200 OK",
        f"Content-Length: {ENDLESS}",
        f"Server: {server}",
        f"Date: {formatdate(unix_time, usegmt=True)}",
    )


def refused(status: HTTPStatus, server: str, unix_time: float) -> bytes:
    """Any other answer; the connection is closed after it."""
    allow = (f"Allow: {METHOD}",) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()
    return _header(
        f"HTTP/1.1 {status.value} {status.phrase}",
        *allow,
        "Content-Length: 0",
        "Connection: close",
        f"Server: {server}",
        f"Date: {formatdate(unix_time, usegmt=True)}",
    )


def _header(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _request(lines: list[str]) -> Request | Refusal:
    """Parse a request: syntax by RFC 9112 section 3, content by [MS-SSTP] 4.1."""
    fields = _fields(lines[1:])
    line = _REQUEST.fullmatch(lines[0])
    assert line is not None
    if fields is None:
        return Refusal(HTTPStatus.BAD_REQUEST, "a line that is not a header field")
    if line["version"] != "1.1":
        return Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/{line['version']}")
    return (
        _wrong_method(line["method"])
        or _wrong_path(line["target"])
        or _wrong_length(fields)
        or _call(fields)
    )


def _fields(lines: list[str]) -> dict[str, list[str]] | None:
    """Field values by lower-case name; None: a line is not a field (RFC 9112 section 5)."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _WORD.fullmatch(name) or _CONTROL_CHARACTER.search(value):
            return None
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return fields


def _wrong_method(method: str) -> Refusal | None:
    """RFC 9110: 405 with Allow for a known method that this resource does not support (15.5.6), 501
    for an unknown method (15.6.2).
    """
    if method == METHOD:
        return None
    if method in HTTPMethod.__members__:
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"method {method}")
    return Refusal(HTTPStatus.NOT_IMPLEMENTED, f"method {method[:32]}")


def _wrong_path(target: str) -> Refusal | None:
    """Check the path, in origin or absolute form (RFC 9112 section 3.2); a query (`tenantid`) may
    follow."""
    path = _ORIGIN.sub("", target, count=1).partition("?")[0].lower()
    if path.replace("%7b", "{").replace("%7d", "}") == PATH.lower():
        return None
    return Refusal(HTTPStatus.NOT_FOUND, f"path {target[:64]!r}")


def _wrong_length(fields: dict[str, list[str]]) -> Refusal | None:
    if "transfer-encoding" in fields:
        return Refusal(HTTPStatus.BAD_REQUEST, "a Transfer-Encoding")
    lengths = fields.get("content-length")
    if lengths is None:
        return Refusal(HTTPStatus.LENGTH_REQUIRED, "no Content-Length")
    if lengths != [str(ENDLESS)]:
        return Refusal(HTTPStatus.BAD_REQUEST, f"Content-Length {', '.join(lengths)[:64]!r}")
    return None


def _call(fields: dict[str, list[str]]) -> Request | Refusal:
    """RFC 9112 section 3.2: exactly one valid Host, or 400."""
    hosts = fields.get("host", [])
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return Refusal(HTTPStatus.BAD_REQUEST, "no valid Host")
    correlation_id = fields.get("sstpcorrelationid", [""])[0]
    if not _CORRELATION_ID.fullmatch(correlation_id):
        correlation_id = ""
    return Request(hosts[0], correlation_id)
