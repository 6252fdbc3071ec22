"""A job that a supervisor sends to the agent, on a separate connection."""

from __future__ import annotations

import json

from lab.guest import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any


class Job:
    """One connection: its first request, and the frames that follow."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.arrived: list[tuple[bytes, bytes]] = []
        self._frames = wire.Frames()
        kind, payload = self.next()
        if kind != wire.REQUEST:
            raise ValueError(f"a job begins with a request, not with {kind!r}")
        self.request: dict[str, Any] = json.loads(payload)

    def next(self) -> tuple[bytes, bytes]:
        """The next frame; EOFError if the supervisor has closed the connection."""
        while not self.arrived:
            if not self.receive():
                raise EOFError
        return self.arrived.pop(0)

    def receive(self) -> bool:
        """Receive available bytes; False at the end of the connection."""
        data = self.line.recv(wire.CHUNK)
        self.arrived += self._frames.feed(data)
        return bool(data)

    def reply(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a whole frame."""
        self.line.sendall(wire.pack(kind, payload))
