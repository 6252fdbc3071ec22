"""When to send a request to which server: pure arithmetic on seconds.

Azure's gateway waits 30 s in all and asks servers in order of their scores. When it retransmits and
when it tries the next server is not documented. Here, it retransmits 1, 2, 4 and 8 seconds after
the previous transmission (RFC 5080, section 2.2.1), and tries the next server after PATIENCE
seconds at most. Late answers of earlier servers still count.
"""

from __future__ import annotations

from collections.abc import Sequence

from radius.packet import Server

LIMIT = 30.0
"""Seconds for a whole authentication; fixed."""
PATIENCE = 10.0
"""Maximum seconds until the next server is tried."""


def in_order(servers: Sequence[Server]) -> list[Server]:
    """Servers by descending score; equal scores in the document's order."""
    return sorted(servers, key=lambda server: -server.score)


def schedule(servers: Sequence[Server], limit: float = LIMIT) -> list[tuple[float, Server]]:
    """Transmissions in order of time: seconds after the start, and the server; all before `limit`.

    `servers` are already in order.
    """
    if not servers:
        return []
    patience = min(PATIENCE, limit / len(servers))
    plan: list[tuple[float, Server]] = []
    for place, server in enumerate(servers):
        begin = place * patience
        end = limit if place == len(servers) - 1 else begin + patience
        at, pause = begin, 1.0
        while at < end:
            plan.append((at, server))
            at, pause = at + pause, pause * 2
    return plan
