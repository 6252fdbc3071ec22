"""Flows through a tunnel, and what they cost the server: figures for tests.bench.sstp.

A few are iperf3's; 256 of it would measure their own scheduling, so many are streams of our own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.nodes.base import Node, Process
from lab.nodes.namespace import NamespaceNode
from lab.waiting import wait_until

Direction = Literal["up", "down"]
FIRST_PORT = 5300
LIMIT = 60.0
"""Seconds for one flow, with its beginning and end."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Flows:
    """What flows at one time carried; rates in Gbit/s as the receiver counts."""

    gbits: float
    cores: float
    """Processor seconds of the server (user and system) per second."""
    slowest: float
    """The slowest flow's rate over the fastest's."""

    @property
    def cores_per_gbit(self) -> float:
        """What one Gbit/s costs the server."""
        return self.cores / self.gbits if self.gbits else float("inf")


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Its resident memory, bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def many(
    server: NamespaceNode,
    client: NamespaceNode,
    address: str,
    sources: Sequence[str],
    direction: Direction,
    *,
    server_pid: int,
    seconds: float,
) -> Flows:
    """A flow from each source address at one time, all in one process at each end."""
    argv = [sys.executable, "-m", "tests.bench.many"]
    how = [address, direction, str(seconds)]
    accepting = await server.spawn([*argv, "accept", *how, str(len(sources))], log="many-accept")
    await wait_until("it listens", 10, lambda: "ready" in accepting.log.read_text())
    began = processor_seconds(server_pid), time.monotonic()
    connecting = await client.spawn([*argv, "connect", *how, *sources], log="many-connect")
    receiving, sending = (accepting, connecting) if direction == "up" else (connecting, accepting)
    async with asyncio.timeout(seconds + LIMIT):
        code = await receiving.wait()
    cores = (processor_seconds(server_pid) - began[0]) / (time.monotonic() - began[1])
    said = receiving.log.read_text()
    await sending.stop()
    for process in (accepting, connecting):
        process.log.unlink()
    if code:
        raise RuntimeError(said[-2000:])
    rates = [rate / 1e9 for rate in json.loads(said.splitlines()[-1])]
    return Flows(sum(rates), cores, min(rates) / max(rates) if max(rates) else 0.0)


class Iperf3:
    """iperf3 servers on an address of a node, one a flow: a server serves one test at a time."""

    def __init__(self, node: NamespaceNode, address: str, count: int) -> None:
        self._node = node
        self._address = address
        self._count = count
        self._processes: list[Process] = []

    async def start(self) -> None:
        """Every server listens when this returns."""
        ports = range(FIRST_PORT, FIRST_PORT + self._count)
        for port in ports:
            argv = ["iperf3", "-s", "-B", self._address, "-p", str(port)]
            self._processes.append(await self._node.spawn(argv, log=f"iperf3-{port}"))

        async def listening() -> bool:
            told = await self._node.run(["ss", "-Hlnt"])
            return all(f":{port} " in told.stdout for port in ports)

        await wait_until(f"{self._count} iperf3 servers listen", 10, listening)

    async def stop(self) -> None:
        """Their ports are free when this returns."""
        await asyncio.gather(*(process.stop() for process in self._processes))
        self._processes.clear()

    async def run(
        self,
        client: Node,
        sources: Sequence[str],
        direction: Direction,
        *,
        server_pid: int,
        seconds: float,
    ) -> Flows:
        """One flow from each source address at one time.

        The seconds in which they find their pace are not counted.
        """
        times = ["-t", str(seconds), "-O", "1"]
        began = processor_seconds(server_pid)
        clock = asyncio.get_running_loop().time()
        rates = await asyncio.gather(
            *(
                self._flow(client, source, FIRST_PORT + number, direction, times)
                for number, source in enumerate(sources)
            )
        )
        elapsed = asyncio.get_running_loop().time() - clock
        cores = (processor_seconds(server_pid) - began) / elapsed
        return Flows(sum(rates), cores, min(rates) / max(rates) if max(rates) else 0.0)

    async def _flow(
        self, client: Node, source: str, port: int, direction: Direction, times: Sequence[str]
    ) -> float:
        argv = ["iperf3", "-J", "-c", self._address, "-p", str(port), "-B", source]
        argv += [*times, *(["-R"] if direction == "down" else [])]
        told = await client.run(argv, limit=LIMIT)
        data = json.loads(told.stdout or "{}")
        if told.code or "error" in data:
            raise RuntimeError(f"iperf3 from {source}: {data.get('error', told.output)}")
        return float(data["end"]["sum_received"]["bits_per_second"]) / 1e9
