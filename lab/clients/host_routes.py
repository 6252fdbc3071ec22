"""Host routes to what carries a tunnel's packets: the gateway, or a proxy before it.

A VPN client keeps such a route through the access network, as Windows does. Without it, a custom
route that covers the gateway's address would send the encrypted packets into the tunnel itself.
"""

from __future__ import annotations

import json
from typing import Any

from lab.errors import LabError
from lab.nodes.base import Node

_EXISTS = "File exists"


class HostRoutes:
    """The host routes of one dial, and their removal. Routes that were there already stay."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._laid: list[list[str]] = []

    async def keep(self, host: str) -> list[str]:
        """Route each address of the host as it is routed now; the addresses. None for an unknown
        host, whose dial fails with the program's own message."""
        addresses = await self._addresses(host) if host else []
        for address in addresses:
            route = await self._present(address)
            if not route:
                continue
            done = await self._node.run(["ip", "route", "add", *route])
            if done.code == 0:
                self._laid.append(route)
            elif _EXISTS not in done.output:
                raise LabError(f"{self._node.name}: no host route to {host}: {done.output}")
        return addresses

    async def remove(self) -> None:
        """Remove the routes; they may have gone with their interface."""
        while self._laid:
            await self._node.run(["ip", "route", "del", *self._laid.pop()])

    async def _addresses(self, host: str) -> list[str]:
        done = await self._node.run(["getent", "ahosts", "--", host])
        return list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines() if line))

    async def _present(self, address: str) -> list[str]:
        """The present route in the words of `ip route`; empty if there is none to other hosts."""
        done = await self._node.run(["ip", "-json", "route", "get", address])
        found: list[dict[str, Any]] = json.loads(done.stdout) if done.code == 0 else []
        if not found or found[0].get("type", "unicast") != "unicast":
            return []
        via = ["via", found[0]["gateway"]] if "gateway" in found[0] else []
        return [address, *via, "dev", found[0]["dev"]]
