"""When which server is sent a request: pure arithmetic on seconds.

Azure's gateway waits 30 s in all, and asks servers in the order of their scores; when it sends
again, and when it goes on to the next server, is not documented. Here: again after 1, 2, 4 and 8
seconds (RFC 5080, section 2.2.1), and on to the next after a tenth to a third of the time. The
answer of a server that was given up on still counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from radius.packet import Server

LIMIT = 30.0
"""Seconds for an authentication, fixed."""
PATIENCE = 10.0
"""Seconds for a server when there is another one."""


def in_order(servers: Sequence[Server]) -> list[Server]:
    """The highest score first; equal ones as they stand in the document."""
    return sorted(servers, key=lambda server: -server.score)


def schedule(servers: Sequence[Server], limit: float = LIMIT) -> list[tuple[float, Server]]:
    """Seconds after the start, and whom to send to, in order of time; nothing at `limit` or later.

    The servers are in order already.
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
