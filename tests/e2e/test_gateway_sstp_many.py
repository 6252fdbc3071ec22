"""The gateway program with SSTP: its maximum of sessions, and far more strangers."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.sstp.protocol.events import Refused
from lab.waiting import wait_until
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import (
    connected,
    counters,
    memory,
    off,
    outcome,
    refusals,
    sessions,
    tcp,
)

LIMIT = 128


@pytest.mark.parametrize(
    "sizes",
    [("Basic",), ("VpnGw1", "VpnGw2", "VpnGw3", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ")],
    ids=["Basic", "newer"],
)
def test_the_129th_session_is_refused_at_http_and_no_other_is_touched(
    tmp_path: Path, sizes: tuple[str, ...]
) -> None:
    async def test(bench: Bench) -> None:
        document = bench.document("SSTP")
        document["properties"]["sku"]["name"] = sizes[0]
        await bench.gateway.put(document)
        worker = (await bench.engine("SSTP"))["pid"]
        before, inside = memory(worker), []
        # One certificate holds three quarters of the places at most.
        for who, pc in [("alice", "pc1")] * 12 + [("carol", "pc3")] * 4:
            inside += await asyncio.gather(*(connected(bench, who, pc) for _ in range(LIMIT // 16)))
        rows = await sessions(bench, LIMIT)
        assert memory(worker) - before < LIMIT * 1_000_000
        for refusal, size in enumerate(sizes, 1):
            document["properties"]["sku"]["name"] = size
            await bench.gateway.put(document)
            refused = await outcome(bench, "bob", "pc2")
            assert isinstance(refused, Refused), size
            assert refused.message.startswith("HTTP 503")
            assert (await refusals(bench, refusal))[-1]["reason"] == "limit"
        assert [r["vpnConnectionId"] for r in await bench.gateway.sessions()] == [
            r["vpnConnectionId"] for r in rows
        ]
        assert all(await asyncio.gather(*(off(lambda c=c: c.ping(PRIVATE)) for c in inside)))  # type: ignore[misc]
        await off(inside[0].hang_up)
        await sessions(bench, LIMIT - 1)
        await connected(bench, "bob", "pc2")

    on_a_gateway(tmp_path, test, client("alice"), client("bob"), client("carol"))


def test_a_thousand_half_open_connections_hurt_nobody(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        crowd: list[socket.socket] = []
        for _ in range(1000):
            crowd.append(await tcp(bench, "pc2"))  # noqa: PERF401 (one after the other)
        assert await off(lambda: alice.ping(PRIVATE))
        await connected(bench, "bob", "pc2")
        await connected(bench, "carol", "pc3")
        assert (await counters(bench))["half-open"] <= 256
        records = await bench.records("refused")
        assert {r["reason"] for r in records} == {"timeout"}
        assert len(records) < 200

        async def summed_up() -> bool:
            return any("more refusals: timeout" in r["message"]
                       for r in await bench.records("engine"))  # fmt: skip

        await wait_until("the summary", PATIENCE, summed_up)
        assert await off(lambda: alice.ping(PRIVATE))
        for stream in crowd:
            stream.close()

    on_a_gateway(tmp_path, test, client("alice"), client("bob"), client("carol"))
