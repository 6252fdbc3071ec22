"""The connection to openvpn's management interface: commands out, events in, on asyncio.

The gateway listens and openvpn connects (`management-client`), so the gateway need not poll and
misses no client event.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.common.errors import EngineError, StorageError
from gateway.openvpn.management import Answer, Management, StateLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.openvpn.management import Event

ANSWER_LIMIT = 5.0
"""Seconds to wait for the answer to a command."""


class ManagementLink:
    """The management connection; one openvpn at a time."""

    def __init__(self, path: Path, on_event: Callable[[Event], None]) -> None:
        self._path = path
        self._on_event = on_event
        self._listener: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answers: list[asyncio.Future[Answer]] = []
        self.up = asyncio.Event()
        """Set once openvpn reports CONNECTED."""

    @property
    def connected(self) -> bool:
        """Whether an openvpn is connected."""
        return self._writer is not None

    async def listen(self) -> None:
        """Open the socket, unless it is open. StorageError: that failed."""
        if self._listener:
            return
        self._path.unlink(missing_ok=True)
        try:
            self._listener = await asyncio.start_unix_server(self._serve, self._path)
            self._path.chmod(0o600)
        except OSError as error:
            raise StorageError(f"cannot listen on {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the socket."""
        if self._listener:
            self._listener.close()
            self._listener = None

    def send(self, command: bytes) -> asyncio.Future[Answer]:
        """Send a command. Returns a future for the answer, which need not be awaited."""
        return self.send_together(command)

    def send_together(self, *commands: bytes) -> asyncio.Future[Answer]:
        """Send commands in one write, so that openvpn executes them before anything else. Returns a
        future for the answer to the last one."""
        if self._writer is None:
            raise EngineError("openvpn is not running")
        answers = [asyncio.get_running_loop().create_future() for _ in commands]
        self._answers.extend(answers)
        self._writer.write(b"".join(commands))
        return answers[-1]

    async def command(self, command: bytes) -> Answer:
        """Send a command and wait for its answer. EngineError: openvpn refused or was silent."""
        answer = self.send(command)
        await asyncio.wait({answer}, timeout=ANSWER_LIMIT)
        if not answer.done() or answer.cancelled():
            word = command.split(b" ", 1)[0].decode().strip()
            raise EngineError(f"openvpn gave no answer to {word}")
        if not answer.result().ok:
            raise EngineError(f"openvpn: {answer.result().text}")
        return answer.result()

    async def alive(self) -> None:
        """For the heartbeat: return when openvpn's main loop has answered."""
        await self.command(b"load-stats\n")  # the only command that openvpn does not log

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        management = Management()
        self.send(b"state on\n")
        self.send(b"log on\n")
        self.send(b"hold release\n")
        try:
            while data := await reader.read(65536):
                for event in management.feed(data):
                    self._dispatch(event)
        except ConnectionError:
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
                for answer in self._answers:
                    answer.cancel()
                self._answers.clear()

    def _dispatch(self, event: Event) -> None:
        match event:
            case Answer():
                if self._answers and not (oldest := self._answers.pop(0)).done():
                    oldest.set_result(event)
            case StateLine(name="CONNECTED"):
                self.up.set()
            case _:
                self._on_event(event)
