"""Calls by the small SSTP client on the gateway bench, and queries to the gateway."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway.sstp.protocol.events import Connected
from lab.waiting import wait_until
from tests.rigs.gateway_bench import FQDN, PUBLIC, Bench
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_caller import SstpCaller

T = TypeVar("T")


async def off(function: Callable[[], T]) -> T:
    """Not in the loop."""
    return await asyncio.to_thread(function)


async def tcp(bench: Bench, node: str = "pc1", to: str = PUBLIC) -> socket.socket:
    """A connection to the gateway's port."""
    return await bench.nodes[node].call(lambda: socket.create_connection((to, 443), 5))


async def caller(bench: Bench, name: str, node: str = "pc1", **options: Any) -> SstpCaller:
    """A client whose TLS is established."""
    stream = await tcp(bench, node)
    root = bench.credentials["public-root"].certificate
    return await off(lambda: SstpCaller(stream, FQDN, bench.credentials[name], root, **options))


async def outcome(bench: Bench, name: str, node: str = "pc1", **options: Any) -> Any:
    """The outcome of dialling."""
    one = await caller(bench, name, node, **options)
    return await off(one.dial)


async def connected(bench: Bench, name: str, node: str = "pc1", **options: Any) -> SstpCaller:
    """A connected client."""
    one = await caller(bench, name, node, **options)
    event = await off(one.dial)
    assert isinstance(event, Connected), (event, await bench.gateway.log())
    return one


async def sessions(bench: Bench, count: int) -> list[dict[str, Any]]:
    """The sessions' rows, once there are this many."""

    async def rows() -> list[dict[str, Any]] | None:
        found = await bench.gateway.sessions()
        return found if found and len(found) == count else None

    if count:
        return await wait_until(f"{count} sessions", PATIENCE, rows)

    async def none() -> bool:
        return not await bench.gateway.sessions()

    await wait_until("no session", PATIENCE, none)
    return []


async def refusals(bench: Bench, count: int) -> list[dict[str, Any]]:
    """The refusals' records, once there are this many."""

    async def told() -> list[dict[str, Any]] | None:
        records = await bench.records("refused")
        return records if len(records) >= count else None

    records = await wait_until(f"{count} refusals", PATIENCE, told)
    assert len(records) == count, records
    return records


async def counters(bench: Bench) -> dict[str, int]:
    """The worker's counters."""
    await bench.gateway.sessions()
    found: dict[str, int] = (await bench.engine("SSTP"))["counters"]
    return found


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
