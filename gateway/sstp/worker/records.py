"""Splits the output of a call into TLS records of one SSTP packet each.

The real sstpc handles one SSTP packet per wake-up of its socket (facts/sstp-dataplane.md, item 1),
and before a call is established each packet may be the last for a while.
"""

from __future__ import annotations

from gateway.dataplane.framing import length_at

_HTTP, _END = b"HTTP/", b"\r\n\r\n"


def records(data: bytes) -> list[bytes]:
    """Split our own complete packets, which an HTTP answer may precede."""
    at = 0
    pieces = []
    while at < len(data):
        if data.startswith(_HTTP, at):
            behind = data.index(_END, at) + len(_END)
        else:
            behind = at + length_at(data, at)
        pieces.append(data[at:behind])
        at = behind
    return pieces
