"""A daemon that runs but does not answer is replaced; one that is not asked is not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.common.vocabulary import VpnProtocol
from gateway.daemons import heartbeat
from lab.waiting import wait_until
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import connected


async def come_in(bench: Bench, name: str, node: str, over: VpnProtocol) -> object:
    """Record the connected clients."""
    if over == "SSTP":
        return await connected(bench, name, node)
    computer = bench.computer(node, name)
    await computer.dial(over)
    return computer


async def another(bench: Bench, over: VpnProtocol, old: int) -> dict[str, Any]:
    """The engine's report once another process of its serves."""

    async def running() -> Any:
        engine = await bench.engine(over)
        return engine if engine["state"] == "running" and engine["pid"] != old else None

    found: dict[str, Any] = await wait_until("another daemon", PATIENCE, running)
    return found


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN", "SSTP"])
def test_a_daemon_that_does_not_answer_is_replaced(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(over))
        alice = await come_in(bench, "alice", "pc1", over)
        first = (await bench.engine(over))["pid"]
        os.kill(first, signal.SIGSTOP)
        engine = await another(bench, over, first)
        assert (engine["restarts"], "gave no answer for 2 s" in engine["death"]) == (1, True)
        assert await bench.gateway.sessions() == []
        (ended,) = await bench.records("disconnected")
        assert "gave no answer for 2 s and was killed" in ended["message"]
        assert (ended["user"], ended["protocol"]) == ("alice", over)
        (told,) = await bench.records("engine")
        assert "gave no answer for 2 s and was killed" in told["message"]
        await come_in(bench, "bob", "pc2", over)
        del alice

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


async def seconds(count: float) -> None:
    """Time itself is what the next test is about."""
    end = time.monotonic() + count
    await wait_until(f"{count} s", count + 5, lambda: time.monotonic() > end)


@pytest.mark.parametrize("other", ["OpenVPN", "SSTP"])
def test_a_gateway_that_stood_still_kills_nobody(tmp_path: Path, other: VpnProtocol) -> None:
    """As on a machine that has no time for it, or was suspended."""

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", other))
        keep = [
            await come_in(bench, "alice", "pc1", other),
            await come_in(bench, "bob", "pc2", "IkeV2"),
        ]
        before = [(await bench.engine(over))["pid"] for over in ("IkeV2", other)]
        everybody = (parent(before[0]), *before)
        for pid in reversed(everybody):  # the gateway last: a question is on its way to each
            os.kill(pid, signal.SIGSTOP)
            await seconds(heartbeat.PERIOD)
        await seconds(heartbeat.LIMIT)
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        await seconds(heartbeat.LIMIT + heartbeat.PERIOD)
        assert [(await bench.engine(over))["pid"] for over in ("IkeV2", other)] == before
        users = {row["vpnUserName"] for row in await bench.gateway.sessions()}
        assert users == {"alice", "bob"}
        assert await bench.records("disconnected") == []
        del keep

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def parent(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])
