"""Start a daemon in a node and wait until it listens; quote it if it dies instead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from gateway.common.rotation import whole
from lab.errors import LabError
from lab.nodes import probes
from lab.nodes.base import Node, Process
from lab.side_by_side import at_once
from lab.waiting import wait_until

LIMIT = 15.0
DAEMONS = 4
"""That start at once on each processor; they wait for nothing but themselves."""
QUOTED_LINES = 12
QUOTED = 8192
"""Bytes of the log in which they are."""


async def start_daemon(
    node: Node, name: str, argv: Sequence[str], *, address: str, port: int
) -> Process:
    """Start `argv`; returns when TCP `address`:`port` accepts, seen from inside the node.

    LabError with the end of its log if it ends before that; TimeoutError after 15 s.
    """
    async with at_once("daemons", DAEMONS):
        process = await node.spawn(argv, log=name)

        async def listening() -> bool:
            if process.code is not None:
                said = last_words(process)
                raise LabError(f"{node.name}: {name} ended with {process.code}: {said}")
            return await node.call(partial(probes.accepts, address, port))

        await wait_until(f"{node.name}: {name} listens on {address}:{port}", LIMIT, listening)
    return process


def last_words(process: Process) -> str:
    """The end of a program's log."""
    lines = whole(process.log, QUOTED).strip().splitlines()
    return "\n".join(lines[-QUOTED_LINES:]) or "it said nothing"
