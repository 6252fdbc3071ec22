"""Strangers that attack an SSTP server: what each does, and how the server must answer.

Each opens a connection of its own, misbehaves, and tells what the server did, in words such as
`HTTP 404, closed` or `CALL_ABORT INVALID_FRAME_RECEIVED, closed`. None knows a user.

`python -m tests.rigs.sstp_hostile ADDRESS NAME ROOT [CASE...]` prints one JSON object a case;
with `--half-open COUNT` in place of ROOT it opens that many connections and says nothing on them.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.sstp.protocol import building, http
from gateway.sstp.protocol.packets import (
    AttributeId,
    Control,
    Framer,
    Message,
    is_control,
    read_control,
    status_infos,
)
from gateway.sstp.protocol.packets import Status as SstpStatus

LIMIT = 90.0
"""Seconds of a server's silence before it counts as one that has not noticed."""
MEGABYTE = 1 << 20
LCP, IP = 0xC021, 0x0021


@dataclass(frozen=True)
class Target:
    """The server: its address, its name, and the file with its root."""

    address: str
    name: str
    root: str

    def connect(self) -> socket.socket:
        """A TCP connection."""
        return socket.create_connection((self.address, 443), LIMIT)

    def context(self) -> ssl.SSLContext:
        """A client context that verifies the server."""
        return ssl.create_default_context(cafile=self.root)


class Stranger:
    """A TLS connection over which anything may be sent."""

    def __init__(self, target: Target) -> None:
        self._tls = target.context().wrap_socket(
            target.connect(), server_hostname=target.name, suppress_ragged_eofs=True
        )
        self._framer = Framer()
        self.heard: list[str] = []

    def say(self, data: bytes) -> None:
        """Send it; the server may have hung up by then."""
        try:
            self._tls.sendall(data)
        except OSError:
            self.heard.append("stopped listening")

    def greet(self, name: str) -> None:
        """Send the HTTP request; the answer must be 200."""
        self.say(http.request(name, "{00000000-0000-4000-8000-00000000000D}"))
        reader = http.ResponseReader()
        answer = None
        while answer is None:
            answer = reader.feed(self._receive())
        assert isinstance(answer, http.Response)
        assert answer.status == 200
        self._packets = self._framer.feed(reader.rest)

    def ask(self, name: str, first: bytes = b"") -> None:
        """Proceed to Call Connect Acknowledge; `first` is sent before the request."""
        self.greet(name)
        self.say(first)
        self.say(building.connect_request())
        message = self.control()
        assert message.message == Message.CALL_CONNECT_ACK, message

    def control(self) -> Control:
        """The next control message; PPP frames before it are ignored."""
        while True:
            packet = self.packet()
            if is_control(packet):
                message = read_control(packet)
                assert isinstance(message, Control)
                return message

    def packet(self) -> bytes:
        """The next SSTP packet; EOFError when the server hung up."""
        while not self._packets:
            data = self._receive()
            if not data:
                raise EOFError
            self._packets = self._framer.feed(data)
        return self._packets.pop(0)

    def lives(self) -> str:
        """Whether the server still answers LCP: `lives`, or how it ended."""
        magic = os.urandom(4)
        request = ppp(LCP, struct.pack("!BBHBB", 1, 77, 10, 5, 6) + magic)
        self.say(building.data(request))
        try:
            while True:
                packet = self.packet()
                if not is_control(packet) and packet.endswith(b"\x02\x4d\x00\x0a\x05\x06" + magic):
                    return "lives"
                if is_control(packet):
                    self._hear(packet)
        except (EOFError, OSError):
            return ", ".join([*self.heard, "closed"])

    def until_closed(self) -> str:
        """All that the server still sends."""
        try:
            while True:
                self._hear(self.packet())
        except EOFError:
            self.heard.append("closed")
        except TimeoutError:
            self.heard.append("keeps silent")
        except OSError:
            self.heard.append("closed")
        return ", ".join(self.heard)

    def http_answer(self) -> str:
        """Its HTTP answer, and whether it hung up then."""
        heard = b""
        try:
            while data := self._receive():
                heard += data
        except TimeoutError:
            return f"{_status_line(heard)}, keeps open"
        except OSError:
            pass
        return f"{_status_line(heard)}, closed"

    def close(self) -> None:
        """Close the connection."""
        self._tls.close()

    def _receive(self) -> bytes:
        return self._tls.recv(65536)

    def _hear(self, packet: bytes) -> None:
        if is_control(packet):
            message = read_control(packet)
            assert isinstance(message, Control)
            statuses = [SstpStatus(info.status).name for info in status_infos(message)]
            self.heard.append(" ".join([message.message.name, *statuses]))
            if message.message == Message.CALL_ABORT:
                self.say(building.abort(SstpStatus.NO_ERROR))


def _status_line(heard: bytes) -> str:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", heard)
    return f"HTTP {found[1].decode()}" if found else "no answer"


def ppp(protocol: int, body: bytes) -> bytes:
    """A PPP frame as in an SSTP data packet."""
    return struct.pack("!HH", 0xFF03, protocol) + body


Case = Callable[[Target], str]


@contextmanager
def stranger(target: Target) -> Iterator[Stranger]:
    """A stranger, closed at the end."""
    one = Stranger(target)
    try:
        yield one
    finally:
        one.close()


def not_tls(target: Target) -> str:
    """Speaks HTTP where TLS is spoken."""
    with target.connect() as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        try:
            while data := line.recv(4096):
                heard += data
        except ConnectionError:
            pass
    return "closed" if not heard or heard[0] == 21 else f"said {heard[:16]!r}"


def half_a_hello(target: Target) -> str:
    """Begins a TLS handshake and never ends it."""
    with target.connect() as line:
        line.sendall(bytes.fromhex("16030100c8010000c40303"))
        try:
            return "closed" if not line.recv(4096) else "answered"
        except ConnectionError:
            return "closed"


def says(data: bytes) -> Case:
    """Sends this after the TLS handshake."""

    def case(target: Target) -> str:
        with stranger(target) as one:
            one.say(data)
            return one.http_answer()

    return case


def huge_header(target: Target) -> str:
    """Sends a header of 1 MB."""
    with stranger(target) as one:
        one.say(b"SSTP_DUPLEX_POST " + http.PATH.encode() + b" HTTP/1.1\r\nX-Filler: ")
        for _ in range(MEGABYTE // 4096):
            one.say(b"a" * 4096)
            if one.heard:
                break
        return one.http_answer()


def after_greeting(data: bytes) -> Case:
    """Sends this in place of Call Connect Request."""

    def case(target: Target) -> str:
        with stranger(target) as one:
            one.greet(target.name)
            one.say(data)
            return one.until_closed()

    return case


def after_ack(data: bytes) -> Case:
    """Sends this after Call Connect Acknowledge."""

    def case(target: Target) -> str:
        with stranger(target) as one:
            one.ask(target.name)
            one.say(data)
            return one.until_closed()

    return case


def lives_after(frames: Sequence[bytes], first: bytes = b"") -> Case:
    """Sends these PPP frames after Call Connect Acknowledge, and `first` before the request; is
    somebody there then?"""

    def case(target: Target) -> str:
        with stranger(target) as one:
            one.ask(target.name, first)
            for frame in frames:
                one.say(building.data(frame))
            return one.lives()

    return case


def malformed_frames() -> list[bytes]:
    """Malformed frames of every kind."""
    bodies = (b"", b"\x01", b"\x01\x01", b"\x01\x01\x00", b"\x01\x01\x00\x03", b"\x01\x01\xff\xff",
              b"\x01\x01\x00\x06\x05\x00", b"\x01\x01\x00\x06\x05\xff", b"\x00\x00\x00\x04",
              b"\xff\x01\x00\x04", b"\x02\x99\x00\x04", b"\x09\x01\x00\x04")  # fmt: skip
    protocols = (LCP, 0xC023, 0xC223, 0xC227, 0x8021, 0x80FD, 0x8057, IP, 0x0057, 0x4001, 0xFFFF)
    raw = (b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0", b"\x21", b"\x00", b"\xc0", b"\xfe\xfe\xfe")
    return [*raw, *(ppp(protocol, body) for protocol in protocols for body in bodies)]


PACKET = b"\x45\x00\x00\x14\x00\x00\x00\x00\x40\x01\x00\x00\xac\x10\xc9\x05\x0a\x01\x01\x04"
"""The header of an IPv4 packet."""
_BINDING = struct.pack("!I", 2) + bytes(96)

CASES: dict[str, tuple[Case, str]] = {
    "not TLS": (not_tls, "closed"),
    "not HTTP": (says(b"\x16\x03\x01 hello"), "HTTP 400, closed"),
    "another method": (says(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP 405, closed"),
    "another path": (
        says(http.request("x", "{}").replace(b"/sra_{", b"/srb_{")), "HTTP 404, closed"),
    "no length": (
        says(b"SSTP_DUPLEX_POST " + http.PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
        "HTTP 411, closed"),
    "a header of 1 MB": (huge_header, "HTTP 431, closed|no answer, closed"),
    "another version": (after_greeting(b"\x20\x01\x00\x08\x00\x08\x00\x00"), "closed"),
    "a length of 3": (after_greeting(b"\x10\x00\x00\x03"), "closed"),
    "data before the request": (lives_after([], building.data(ppp(IP, PACKET))), "lives"),
    "Connected before the request": (
        after_greeting(building.connected(2, bytes(32), bytes(32), bytes(32))),  # type: ignore[arg-type]
        "CALL_ABORT .*, closed"),
    "an unknown message": (
        after_ack(struct.pack("!BBHHH", 0x10, 1, 8, 0x77, 0)), "CALL_ABORT .*, closed"),
    "a truncated attribute": (
        after_ack(struct.pack("!BBHHH", 0x10, 1, 12, 8, 1) + b"\x00\x02\x0f\xff"),
        "CALL_ABORT .*, closed"),
    "the request twice": (after_ack(building.connect_request()), "CALL_ABORT .*, closed"),
    "IP before the binding": (lives_after([ppp(IP, PACKET)] * 10), "lives"),
    "oversized data": (lives_after([ppp(IP, PACKET + bytes(4000))] * 10), "lives"),
    "malformed PPP": (lives_after(malformed_frames()), "lives"),
}  # fmt: skip
"""What a stranger does: how, and a pattern of what it must be answered."""


SLOW: dict[str, tuple[Case, str]] = {
    "half a ClientHello": (half_a_hello, "closed"),
    "silence after TLS": (says(b""), "HTTP 408, closed"),
    "half a request": (says(b"SSTP_DUPLEX_POST /sra"), "HTTP 408, closed"),
    "silence after HTTP": (after_greeting(b""), "CALL_ABORT NEGOTIATION_TIMEOUT, closed"),
    "silence after the Ack": (after_ack(b""), "CALL_(ABORT|DISCONNECT) .*, closed"),
    "a binding of zeros, and no user": (
        after_ack(building.control(Message.CALL_CONNECTED,
                                   building.attribute(AttributeId.CRYPTO_BINDING, _BINDING))),
        "CALL_(ABORT|DISCONNECT) .*, closed"),
}  # fmt: skip
"""Those who wait until the server has had enough: up to a minute and a half."""
_ALL = CASES | SLOW


def run(target: Target, names: Sequence[str]) -> Iterator[dict[str, object]]:
    """Run all cases at once; return each outcome."""

    def one(name: str) -> dict[str, object]:
        case, expected = _ALL[name]
        try:
            answer = case(target)
        except (OSError, AssertionError, EOFError) as error:
            answer = f"{type(error).__name__}: {error}"
        held = re.fullmatch(expected, answer) is not None
        return {"case": name, "answer": answer, "expected": expected, "held": held}

    with ThreadPoolExecutor(len(_ALL)) as pool:
        yield from pool.map(one, names)


def half_open(target: Target, count: int) -> None:
    """Open connections, print their number, and keep them until this program is killed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, count + 100), most))
    lines = [target.connect() for _ in range(count)]
    print(json.dumps({"opened": len(lines)}), flush=True)
    signal.pause()


if __name__ == "__main__":
    if sys.argv[3] == "--half-open":
        half_open(Target(*sys.argv[1:3], ""), int(sys.argv[4]))
    for result in run(Target(*sys.argv[1:4]), sys.argv[4:] or list(CASES)):
        print(json.dumps(result), flush=True)
