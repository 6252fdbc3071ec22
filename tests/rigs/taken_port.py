"""A gateway whose TCP port 443 another program has."""

from __future__ import annotations

import socket

import pytest

from gateway.common.vocabulary import VpnProtocol
from lab.errors import LabError
from lab.waiting import wait_until
from tests.rigs.gateway_bench import PUBLIC, Bench
from tests.rigs.patience import PATIENCE


async def said_and_taken_when_free(bench: Bench, protocol: VpnProtocol, said: str) -> None:
    """The engine says that it cannot listen, in words that match, and serves when it can."""

    def occupy() -> socket.socket:
        holder = socket.socket()
        holder.bind((PUBLIC, 443))
        holder.listen()
        return holder

    async def succeeded() -> bool:
        return await bench.state() == "Succeeded"

    holder = await bench.nodes["gw"].call(occupy)
    with pytest.raises(LabError, match=said):
        await bench.gateway.put(bench.document(protocol))
    assert await bench.state() == "Failed"
    holder.close()
    await wait_until(protocol, PATIENCE, succeeded)
