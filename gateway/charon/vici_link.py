"""charon over vici from asyncio: the library blocks, so each session has its own thread.

There are four sessions: for commands, queries, events and the heartbeat. Queries have their own
because a command may wait for a charon thread that waits for RADIUS, and thus for us.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.charon.vici_messages import EVENTS
from gateway.common.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import vici

ANSWER_LIMIT = 10.0
"""Seconds to wait for an answer on the socket."""

ROOM_LIMIT = 10.0
"""Seconds to wait for a place in charon's listen queue, which has three."""

MOST_APART = 24
"""Maximum concurrent slow commands: to initiate a tunnel to a dead device takes 8 s, and each
occupies one of charon's threads (gateway.charon.config gives vici more threads than these)."""

STREAMS = {"list-certs": "list-cert", "list-sas": "list-sa", "terminate": "control-log"}
"""Commands whose answer is a stream of events."""


class ViciLink:
    """A connection to one charon. Messages are dictionaries whose values are bytes or lists."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._sessions: dict[str, vici.Session] = {}
        self._sockets: list[socket.socket] = []
        self.statistics: dict[str, Any] = {}
        """charon's statistics as of the last heartbeat (vici's `stats`)."""

    async def connect(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        """Open the sessions; OSError while charon is not listening yet."""
        loop = asyncio.get_running_loop()
        self.close()

        def deliver(name: str, message: dict[str, Any]) -> None:
            with suppress(RuntimeError):  # the loop is closed: the program is ending
                loop.call_soon_threadsafe(on_event, name, message)

        await asyncio.to_thread(self._open_all, deliver)

    def _open_all(self, deliver: Callable[[str, dict[str, Any]], None]) -> None:
        for name in ("orders", "questions", "heart"):
            self._sessions[name] = self._open(ANSWER_LIMIT)
            self._threads[name] = ThreadPoolExecutor(1, thread_name_prefix=f"vici-{name}")
        self._threads["apart"] = ThreadPoolExecutor(MOST_APART, thread_name_prefix="vici-apart")
        events = self._open(None)
        for name in EVENTS:
            register(events, name)
        threading.Thread(
            target=_listen, args=(events, deliver), name="vici-events", daemon=True
        ).start()

    async def order(self, command: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        """Execute a command. EngineError quotes charon's refusal."""
        return await self._run("orders", _request, command, message)  # type: ignore[no-any-return]

    async def ask(
        self, command: str, message: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Execute a query whose answer is a stream of messages."""
        return await self._run("questions", _stream, command, message)  # type: ignore[no-any-return]

    async def alive(self) -> None:
        """For the heartbeat: return when one of charon's threads has answered."""
        self.statistics = await self._run("heart", _request, "stats", None)

    async def apart(self, command: str, message: dict[str, Any]) -> list[dict[str, Any]]:
        """The same on a separate session, for commands that may take long."""

        def alone() -> list[dict[str, Any]]:
            with self._alone(ANSWER_LIMIT) as session:
                return _stream(session, command, message)

        messages: list[dict[str, Any]] = await self._in_a_thread("apart", command, alone)
        return messages

    async def initiate(self, name: str, limit: float) -> tuple[list[str], str]:
        """Set up a connection and its child of the same name, within `limit` seconds.

        Returns charon's log lines meanwhile, and its one-line refusal, empty if the tunnel is up.
        """
        order = {"ike": name, "child": name, "timeout": str(int(limit * 1000)), "loglevel": "1"}

        def alone() -> tuple[list[str], str]:
            import vici.exception  # noqa: PLC0415 - as below

            lines: list[str] = []
            with self._alone(limit + ANSWER_LIMIT) as session:
                try:
                    # extend() consumes one by one, so lines before a refusal are kept
                    lines.extend(
                        entry.get("msg", b"").decode("utf-8", "replace")
                        for entry in session.streamed_request("initiate", "control-log", order)
                    )
                except vici.exception.CommandException as error:
                    return lines, str(error)
            return lines, ""

        result: tuple[list[str], str] = await self._in_a_thread("apart", "initiate", alone)
        return result

    def close(self) -> None:
        """Close all sessions; threads waiting on them end."""
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads.values():
            thread.shutdown(wait=False)
        self._sockets.clear()
        self._threads.clear()
        self._sessions.clear()

    def _open(self, limit: float | None) -> vici.Session:
        import vici  # noqa: PLC0415 - only where IKEv2 is enabled

        return vici.Session(self._connected(limit))

    @contextmanager
    def _alone(self, limit: float) -> Iterator[vici.Session]:
        """A separate session for one command."""
        import vici  # noqa: PLC0415 - as above

        connection = self._connected(limit)
        try:
            yield vici.Session(connection)
        finally:
            connection.close()
            with suppress(ValueError):  # close() has cleared the list meanwhile
                self._sockets.remove(connection)

    def _connected(self, limit: float | None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        # With settimeout() the socket would be non-blocking, and a full queue an error.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _seconds(ROOM_LIMIT))
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        connection.settimeout(limit)
        self._sockets.append(connection)
        return connection

    async def _run(self, name: str, function: Any, command: str, message: Any) -> Any:
        session = self._sessions.get(name)
        return await self._in_a_thread(name, command, partial(function, session, command, message))

    async def _in_a_thread(self, name: str, command: str, work: Callable[[], Any]) -> Any:
        if name not in self._threads:
            raise EngineError("charon is not running")
        loop = asyncio.get_running_loop()
        return await _quoting(command, loop.run_in_executor(self._threads[name], work))


def _seconds(value: float) -> bytes:
    """struct timeval."""
    return struct.pack("@ll", int(value), int(value % 1 * 1e6))


async def _quoting(command: str, call: Any) -> Any:
    import vici.exception  # noqa: PLC0415

    try:
        return await call
    except vici.exception.CommandException as error:
        raise EngineError(f"charon, {command}", said=str(error)) from error
    except (OSError, vici.exception.SessionException) as error:
        raise EngineError(f"charon gave no answer to {command}", said=str(error)) from error


def _request(session: vici.Session, command: str, message: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = session.request(command, message)
    return answer


def _stream(
    session: vici.Session, command: str, message: dict[str, Any] | None
) -> list[dict[str, Any]]:
    return list(session.streamed_request(command, STREAMS[command], message))


def register(session: vici.Session, event: str) -> None:
    """Register for an event (with vici's `listen`, a caller cannot know when that is done)."""
    from vici.protocol import Packet  # noqa: PLC0415

    session.transport.send(Packet.register_event(event))
    answer = Packet.parse(session.transport.receive())
    while answer.response_type == Packet.EVENT:
        answer = Packet.parse(session.transport.receive())
    if answer.response_type != Packet.EVENT_CONFIRM:
        raise EngineError(f"charon does not know the event {event}")


def _listen(session: vici.Session, deliver: Callable[[str, dict[str, Any]], None]) -> None:
    """Deliver events, in its own thread, until either side closes the socket."""
    from vici.protocol import Message, Packet  # noqa: PLC0415

    with suppress(OSError):
        while True:
            packet = Packet.parse(session.transport.receive())
            if packet.response_type == Packet.EVENT:
                name = packet.event_type
                text = name.decode() if isinstance(name, bytes) else str(name)
                deliver(text, Message.deserialize(packet.payload))
