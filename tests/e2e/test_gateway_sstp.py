"""The gateway program with SSTP: its worker, the TUN, and calls of the Python client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway.sstp.events import Connected
from lab.waiting import wait_until
from tests.labs.gateway_bench import FQDN, PRIVATE, PUBLIC, Bench, client, on_a_gateway
from tests.labs.sstp_caller import SstpCaller

T = TypeVar("T")


async def off(function: Callable[[], T]) -> T:
    return await asyncio.to_thread(function)


async def tcp(bench: Bench, node: str = "pc1") -> socket.socket:
    return await bench.nodes[node].call(lambda: socket.create_connection((PUBLIC, 443), 5))


async def caller(bench: Bench, name: str, node: str = "pc1", **options: Any) -> SstpCaller:
    stream = await tcp(bench, node)
    root = bench.credentials["public-root"].certificate
    return await off(lambda: SstpCaller(stream, FQDN, bench.credentials[name], root, **options))


async def connected(bench: Bench, name: str, node: str = "pc1", **options: Any) -> SstpCaller:
    one = await caller(bench, name, node, **options)
    event = await off(one.dial)
    assert isinstance(event, Connected), event
    return one


async def _none(bench: Bench) -> bool:
    return not await bench.gateway.sessions()


def test_a_client_comes_in_is_counted_and_leaves(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        assert str(alice.call.address) == "172.16.201.2"
        assert await off(lambda: alice.ping(PRIVATE))
        (row,) = await bench.gateway.sessions()
        assert row["privateIpAddress"] == "172.16.201.2"
        assert row["publicIpAddress"] == "192.0.2.2"
        assert row["vpnUserName"] == "alice"
        assert row["thumbprint"] == bench.credentials["alice"].thumbprint
        assert (row["ingressPacketsTransferred"], row["egressPacketsTransferred"]) == (1, 1)
        assert (row["ingressBytesTransferred"], row["egressBytesTransferred"]) == (84, 84)
        await off(alice.hang_up)
        await wait_until("no session", 3.0, lambda: _none(bench))
        log = await bench.gateway.log()
        assert [r["event"] for r in log] == ["connected", "disconnected"]
        assert log[0]["message"] == "assigned 172.16.201.2 (SHA256, specification)"

    on_a_gateway(tmp_path, test, client("alice"))
