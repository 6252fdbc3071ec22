"""A gateway's records and sessions of one client computer.

They are found by what both ends of a connection know: its public address and port, through the
lab's own routers and proxies, and its time; or the session that followed from it. Never by a name
or a certificate, which several computers may share, nor by an address alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from lab.topology.model.vocabulary import VpnProtocol
from lab.waiting import wait_until
from lab.world import Attempted, ClientComputer, end_of

Record = dict[str, Any]
LOG_LIMIT = 2.0
"""Seconds within which the gateway has written down what has just happened."""


async def of_attempts(client: ClientComputer, protocol: VpnProtocol, began: str) -> list[Record]:
    """The records of the client's attempts to connect that began then or later, oldest first."""
    rows = [
        record
        for record in await _told(client.gateway.log)
        if record["protocol"] == protocol and record["attemptTime"] >= began
    ]
    own = await client.made(protocol, {end_of(row) for row in rows})
    found = [row for row in rows if end_of(row) in own or _attempted(row) in client.attempts]
    others = {one for one in client.attempts if one[0] != protocol}
    client.attempts = frozenset({*others, *map(_attempted, found)})
    return found


def _attempted(row: Record) -> Attempted:
    return row["protocol"], end_of(row), row["attemptTime"]


async def refusal(client: ClientComputer, protocol: VpnProtocol, began: str) -> Record | None:
    """The record of the client's refusal; None: the gateway wrote none about it."""

    async def written() -> Record | None:
        return _last(await of_attempts(client, protocol, began), "refused")

    try:
        return await wait_until("the gateway's record of it", LOG_LIMIT, written)
    except TimeoutError:
        return None


async def of_session(client: ClientComputer, event: str) -> Record | None:
    """As logged, once the gateway has written it."""
    if not client.session:
        return None
    try:
        written = partial(logged, client, event)
        return await wait_until("the gateway's record of it", LOG_LIMIT, written)
    except TimeoutError:
        return None


async def logged(client: ClientComputer, event: str) -> Record | None:
    """The record of the begin (connected) or the end (disconnected) of the client's last session;
    None: the gateway wrote none."""
    rows = await _told(client.gateway.log)
    own = [row for row in rows if client.session and row["vpnConnectionId"] == client.session]
    return _last(own, event)


async def session(client: ClientComputer) -> Record | None:
    """The gateway's row (getVpnClientConnectionHealth) of the client's session, if it stands."""
    rows = await _told(client.gateway.sessions)
    own = (row for row in rows if row["vpnConnectionId"] == client.session)
    return next(own, None)


async def _told(ask: Callable[[], Awaitable[list[Record]]]) -> list[Record]:
    """What a gateway says; one that is switched off says nothing."""
    try:
        return await ask()
    except OSError:
        return []


def _last(rows: list[Record], event: str) -> Record | None:
    return next((row for row in reversed(rows) if row["event"] == event), None)
