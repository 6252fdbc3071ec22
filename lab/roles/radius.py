"""A RADIUS server: FreeRADIUS, with what radius.freeradius writes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.nodes.base import Node, Process
from lab.roles.daemon import last_words
from lab.waiting import wait_until
from radius.freeradius import Instance, command, files
from radius.reasons import Refusal, refusals

DIRECTORY = "/run/freeradius"
LIMIT = 15.0


async def start(node: Node, options: dict[str, Any]) -> Process:
    """Options: instance (radius.freeradius.Instance)."""
    return await start_radius(node, options["instance"])


async def start_radius(node: Node, instance: Instance) -> Process:
    """Start it; it answers when this returns. LabError with its last words if it ends instead."""
    for name, file in files(instance, DIRECTORY).items():
        await node.write(f"{DIRECTORY}/{name}", file.content, file.mode)
    process = await node.spawn(command(DIRECTORY, instance), log="radius")
    await until_bound(node, process, "radius", instance.address, instance.port)
    return process


async def until_bound(node: Node, process: Process, name: str, address: str, port: int) -> None:
    """Until its UDP socket is there: what is sent from then on waits in it."""

    async def bound() -> bool:
        if process.code is not None:
            raise LabError(f"{node.name}: {name} ended with {process.code}: {last_words(process)}")
        table = await node.call(Path("/proc/thread-self/net/udp").read_text)
        return f" {_kernels(address)}:{port:04X} " in table

    await wait_until(f"{node.name}: {name} listens on UDP {address}:{port}", LIMIT, bound)


def _kernels(address: str) -> str:
    """An IPv4 address as /proc/net/udp has it: in the machine's byte order."""
    return f"{int.from_bytes(IPv4Address(address).packed, sys.byteorder):08X}"


def refused(logs: Iterable[Path]) -> list[Refusal]:
    """Every refusal that these servers' logs tell, in order."""
    return [refusal for log in logs for refusal in refusals(log.read_text(errors="replace"))]
