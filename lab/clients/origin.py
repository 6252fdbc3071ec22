"""Which of the connections that a gateway sees are a computer's, though a router translates their
addresses and a proxy may make them in its name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from dataclasses import dataclass

from lab.errors import LabError
from lab.kernel.conntrack import translations
from lab.nodes.base import Node
from lab.roles.proxy import ACCESS_LOG, logged
from lab.topology.model.vocabulary import VpnProtocol
from lab.world import End


@dataclass(frozen=True)
class Origin:
    """A computer's place in its access network."""

    address: str
    """Its own."""
    access: Node
    """The router."""
    gateway: str
    """The gateway's public address: a router may give two computers one public end, to dial two
    gateways. Empty: any."""
    proxy: tuple[str, Node] | None = None
    """The proxy through which it dials, and its address."""

    async def made(self, protocol: VpnProtocol, ends: Collection[End]) -> set[End]:
        """Those of the public ends that are this computer's.

        The router remembers a TCP connection for at least 10 s after its end. The proxy writes it
        down at its end: while it is open, it is nobody's.
        """
        inside = await self._inside(protocol, ends) if ends else {}
        if self.proxy is None:
            return {end for end, (address, _) in inside.items() if address == self.address}
        address, node = self.proxy
        callers = await _callers(node)
        return {
            end
            for end, (source, port) in inside.items()
            if source == address and callers.get(port) == self.address
        }

    async def _inside(self, protocol: VpnProtocol, ends: Collection[End]) -> dict[End, End]:
        """The ends in the access network, by their public ends; both are one without NAT."""
        number = socket.IPPROTO_UDP if protocol == "IkeV2" else socket.IPPROTO_TCP
        try:
            table = await self.access.call(translations)
        except (OSError, LabError):  # this kernel does not tell
            table = []
        translated = {
            row.outside: row.inside
            for row in table
            if row.protocol == number and self.gateway in ("", row.to)
        }
        return {end: translated.get(end, end) for end in ends}


async def _callers(proxy: Node) -> dict[int, str]:
    """The proxy's client by the port from which the proxy connected; the newest connection."""
    rows = (line.split() for line in await asyncio.to_thread(logged, proxy, ACCESS_LOG))
    return {int(row[1]): row[0] for row in rows if len(row) == 2 and row[1].isdecimal()}
