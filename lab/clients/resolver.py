"""The DNS servers that a tunnel brings, in the node's resolv.conf for as long as it is up."""

from __future__ import annotations

from collections.abc import Iterable

from lab.nodes.base import Node

FILE = "/etc/resolv.conf"


class Resolver:
    """Puts servers before the node's own, as an operating system's client does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before: bytes | None = None

    async def remember(self) -> bytes:
        """The file as it is now is what `give_back` brings back."""
        self._before = await self._node.read(FILE)
        return self._before

    async def take(self, servers: Iterable[str]) -> None:
        """Ask these first; none: nothing changes."""
        lines = "".join(f"nameserver {server}\n" for server in dict.fromkeys(servers)).encode()
        if lines:
            await self._node.write(FILE, lines + await self.remember())

    async def give_back(self) -> None:
        """As it was before."""
        if self._before is not None:
            await self._node.write(FILE, self._before)
            self._before = None
