"""A tunnel's DNS servers in the node's resolv.conf, for as long as the tunnel is up."""

from __future__ import annotations

from collections.abc import Iterable

from lab.nodes.base import Node

FILE = "/etc/resolv.conf"


class Resolver:
    """Puts a tunnel's DNS servers before the node's own, as an operating system's client does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before: bytes | None = None

    async def save(self) -> bytes:
        """Save the file's content for `restore`."""
        self._before = await self._node.read(FILE)
        return self._before

    async def use(self, servers: Iterable[str]) -> None:
        """Query these servers first; without any, nothing changes."""
        lines = "".join(f"nameserver {server}\n" for server in dict.fromkeys(servers)).encode()
        if lines:
            await self._node.write(FILE, lines + await self.save())

    async def restore(self) -> None:
        """Restore the saved content, if any."""
        if self._before is not None:
            await self._node.write(FILE, self._before)
            self._before = None
