"""Probes that checks run inside a node. Few imports: they are slow in user-mode Linux."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

RESEND = 0.25
"""Seconds after which a datagram is sent again, in case one was lost."""
PAYLOAD = b"p2slab"


@dataclass(frozen=True)
class Answer:
    """What a probe got; `port` is its own, or its identifier with ICMP."""

    text: str
    port: int


def tcp(target: str, port: int, within: float) -> Answer:
    """Connect; TimeoutError after `within` seconds."""
    with _socket(target, socket.SOCK_STREAM) as line:
        line.settimeout(within)
        line.connect((target, port))
        return Answer(f"{target}:{port} accepts", line.getsockname()[1])


def udp(target: str, port: int, within: float) -> Answer:
    """Send datagrams until one is answered; TimeoutError after `within` seconds."""
    deadline = time.monotonic() + within
    with _socket(target, socket.SOCK_DGRAM) as line:
        line.settimeout(RESEND)
        line.connect((target, port))
        while time.monotonic() < deadline:
            with suppress(TimeoutError):
                line.send(PAYLOAD)
                answered = len(line.recv(2048))
                own = line.getsockname()[1]
                return Answer(f"{target}:{port} answers {answered} bytes", own)
    raise TimeoutError


def accepts(address: str, port: int) -> bool:
    """Whether a program listens on the port."""
    with suppress(OSError):
        tcp(address, port, 1.0)
        return True
    return False


def _socket(target: str, kind: int) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, kind)
