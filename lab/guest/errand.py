"""An errand: what a supervisor asks of the agent, on a connection of its own."""

from __future__ import annotations

import json

from lab.guest import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any


class Errand:
    """One connection: the request it began with, and the frames that come after it."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.arrived: list[tuple[bytes, bytes]] = []
        self._frames = wire.Frames()
        kind, payload = self.next()
        if kind != wire.REQUEST:
            raise ValueError(f"an errand begins with a request, not with {kind!r}")
        self.request: dict[str, Any] = json.loads(payload)

    def next(self) -> tuple[bytes, bytes]:
        """The next frame; EOFError when the supervisor has closed."""
        while not self.arrived:
            if not self.receive():
                raise EOFError
        return self.arrived.pop(0)

    def receive(self) -> bool:
        """Take in what has come; whether there was anything before the end of the connection."""
        data = self.line.recv(wire.CHUNK)
        self.arrived += self._frames.feed(data)
        return bool(data)

    def reply(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame, whole."""
        self.line.sendall(wire.pack(kind, payload))
