"""A RADIUS proxy that adds a second factor by push: `python -m radius.push_proxy FILE`.

FILE is JSON (mode 0600): {"listen": [address, port], "server": [address, port, secret],
"clients": [[prefix, secret], ...], "control": path, "factor": null | "asked" | "never" | "typed"
| seconds, "deniers": [users], "slow": seconds}. The control socket accepts a line, `approve USER`,
`deny USER` or `waiting`, and answers with a line of JSON. Events are logged to stdout; those of a
user as JSON: {"user": name, "reason": null | a reason for refusal, "message": text}.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from radius.log_stream import LogStream
from radius.push import TO_SERVER, PushProxy

ANSWER_LIMIT = 5.0
"""Seconds within which a line must arrive on the control socket."""


class _Side(asyncio.DatagramProtocol):
    """One of the proxy's two sockets."""

    def __init__(self, server: Server, *, outer: bool) -> None:
        self._server = server
        self._outer = outer

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Pass a datagram to the proxy."""
        self._server.received(data, (str(addr[0]), int(addr[1])), outer=self._outer)

    def error_received(self, exc: Exception) -> None:
        """Log a lost datagram (the server may be down); the client will retransmit."""
        self._server.log(f"a datagram was lost: {exc}")


class Server:
    """The proxy, its sockets and its clock."""

    def __init__(self, settings: dict[str, Any]) -> None:
        address, port, secret = settings["server"]
        factor = settings["factor"]
        self._settings = settings
        self._server = (address, port)
        self._proxy = PushProxy(
            [(IPv4Network(prefix), key.encode()) for prefix, key in settings["clients"]],
            secret.encode(),
            os.urandom,
            float(factor) if isinstance(factor, int) else factor,
            frozenset(name.lower() for name in settings["deniers"]),
            settings["slow"],
        )
        self._outer: Any = None
        self._inner: Any = None
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Serve until killed. The control socket is opened before the first request can arrive."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_unix_server(self._controlled, sock=self._control_socket())
        self._inner, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, outer=False), remote_addr=self._server
        )
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, outer=True), local_addr=tuple(self._settings["listen"])
        )
        async with server:
            await server.serve_forever()

    def _control_socket(self) -> socket.socket:
        path = Path(self._settings["control"])
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o600)
        return listener

    def received(self, data: bytes, source: tuple[str, int], *, outer: bool) -> None:
        """Handle a datagram from a client (`outer`) or from the server."""
        now = asyncio.get_running_loop().time()
        if outer:
            self._proxy.receive(data, source, now)
        else:
            self._proxy.answered(data, now)
        self._settle()

    def log(self, line: str) -> None:
        """Log a line to stdout."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _settle(self) -> None:
        """Write the proxy's log lines and datagrams, and set the timer for its next `tick`."""
        loop = asyncio.get_running_loop()
        self._proxy.tick(loop.time())
        for line in self._proxy.lines:
            self.log(line)
        self._proxy.lines.clear()
        for data, address in self._proxy.outgoing:
            if address == TO_SERVER:
                self._inner.sendto(data)
            else:
                self._outer.sendto(data, address)
        self._proxy.outgoing.clear()
        if self._timer:
            self._timer.cancel()
        deadline = self._proxy.deadline()
        self._timer = loop.call_at(deadline, self._settle) if deadline is not None else None

    async def _controlled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, ValueError, OSError):
            async with asyncio.timeout(ANSWER_LIMIT):
                line = (await reader.readline()).decode(errors="replace")
            writer.write(
                json.dumps(self._command(*line.removesuffix("\n").split(" ", 1))).encode() + b"\n"
            )
            await writer.drain()
        writer.close()

    def _command(self, word: str, user: str = "") -> dict[str, Any]:
        if word not in ("approve", "deny", "waiting"):
            return {"error": "approve USER, deny USER or waiting"}
        answer: dict[str, Any] = {"waiting": self._proxy.waiting}
        if word != "waiting":
            now = asyncio.get_running_loop().time()
            answer["decided"] = self._proxy.decide(user, now, approve=word == "approve")
            self._settle()
        return answer


def main() -> None:
    """Run the program."""
    sys.stdout = LogStream(1)
    settings = json.loads(Path(sys.argv[1]).read_text())
    asyncio.run(Server(settings).serve())


if __name__ == "__main__":
    main()
