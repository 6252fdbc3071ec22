"""Probes that checks run inside a node: their own port, and what they got, in a line.

Few imports: they are slow in user-mode Linux.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from contextlib import suppress

RESEND = 0.25
"""Seconds after which a datagram is sent again, in case one was lost."""
PAYLOAD = b"p2slab"


def tcp(target: str, port: int, within: float) -> str:
    """Connect; TimeoutError after `within` seconds."""
    with _socket(target, socket.SOCK_STREAM) as line:
        line.settimeout(within)
        line.connect((target, port))
        return f"{line.getsockname()[1]} {target}:{port} accepts"


def udp(target: str, port: int, within: float) -> str:
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
                return f"{own} {target}:{port} answers {answered} bytes"
    raise TimeoutError


def datagram(target: str, port: int, within: float, payload: str, source: str = "") -> str:
    """Send one datagram, its payload in hexadecimal, from an address of the node's own if given;
    its own port and the answer, in hexadecimal. TimeoutError after `within` seconds."""
    with _socket(target, socket.SOCK_DGRAM) as line:
        line.settimeout(within)
        if source:
            line.bind((source, 0))
        line.connect((target, port))
        line.send(bytes.fromhex(payload))
        return f"{line.getsockname()[1]} {line.recv(2048).hex()}"


def answer(source: str, source_port: int, target: str, port: int, payload: str) -> str:
    """Send one datagram, its payload in hexadecimal, from a port that a program has: what it would
    send as an answer. Nothing comes back."""
    body = bytes.fromhex(payload)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as line:
        line.bind((source, 0))
        # Without a checksum, which UDP over IPv4 may leave out.
        line.sendto(struct.pack("!4H", source_port, port, 8 + len(body), 0) + body, (target, 0))
    return "sent"


def accepts(address: str, port: int) -> bool:
    """Whether a program listens on the port."""
    with suppress(OSError):
        tcp(address, port, 1.0)
        return True
    return False


def is_listened_on(port: int) -> bool:
    """Whether a program listens on the TCP port at any address, found out without a connection,
    which a server for one client at a time would take for its client."""
    with _socket("", socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def _socket(target: str, kind: int) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, kind)
