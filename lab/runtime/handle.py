"""A running lab for the verbs and pytest: a client of its control socket."""

from __future__ import annotations

import base64
import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.boot import wire
from lab.choices import did_you_mean
from lab.errors import LabError, UsageError
from lab.failure import exception_of
from lab.nodes.base import Completed, Entrance
from lab.runtime.directory import RunDirectory, running

if TYPE_CHECKING:
    from lab.runtime.protocol import Event
    from lab.topology.model.steps import Step

__tracebackhide__ = True  # for pytest: it shows a failure at the test's own line
_PEER = struct.Struct("iII")
"""struct ucred (unix(7))."""
ENDING = 10.0
"""Seconds that a lab has to end after a request to."""
ANSWERING = 10.0
"""Seconds for a lab to answer at all. What it is asked for may take longer."""
SETTLING = 2.0
"""Seconds to write what the programs have logged."""
POLL_INTERVAL = 0.25
"""Seconds between checks whether the lab's processes are gone."""


class Handle:
    """One lab. Every request uses a separate connection, so that handles may be shared."""

    def __init__(self, directory: RunDirectory, *, lifeline: int | None = None) -> None:
        self.name = directory.name
        self.logs: Path = directory.outside / "log"
        self.inside: Path = directory.logs
        """The same directory as `logs`, by its path in the private root."""
        self._directory = directory
        self._lifeline = lifeline

    @classmethod
    def open(cls, name: str | None = None) -> Handle:
        """The running lab of that name, case aside; without a name, the only running lab.
        UsageError."""
        if name is not None and RunDirectory(name).is_alive():
            return cls(RunDirectory(name))
        labs = running()
        if name is None and len(labs) == 1:
            return cls(labs[0])
        alike = [lab for lab in labs if name and lab.name.casefold() == name.casefold()]
        if alike:
            return cls(alike[0])
        names = ", ".join(lab.name for lab in labs)
        if not labs:
            which = "no lab is running" if name is None else f"lab {name} is not running"
            raise UsageError(which, "p2slab up topologies/quickstart.yaml")
        if name is None:
            raise UsageError(f"several labs are running: {names}", "name one of them")
        remedy = did_you_mean(name, [lab.name for lab in labs])
        raise UsageError(f"lab {name} is not running", remedy)

    def release(self) -> None:
        """Let the lab outlive the process that started it."""
        if self._lifeline is not None:
            with suppress(BrokenPipeError):  # it has ended already
                os.write(self._lifeline, b"\0")
            os.close(self._lifeline)
            self._lifeline = None

    def status(self, limit: float | None = None) -> dict[str, Any]:
        """State, age in seconds, nodes and clients; TimeoutError after `limit` seconds."""
        answer: dict[str, Any] = self._ask({"request": "status"}, limit=limit)[0]
        return answer

    def watch(self) -> Iterator[Event]:
        """Every past event, then each new one; LabError when the lab ends.

        Ready or Failed is the last event of building the lab.
        """
        from lab.runtime.protocol import event_of  # noqa: PLC0415 (not for `exec`)

        with self._conversation() as connection:
            wire.send(connection, {"request": "watch"})
            while True:
                yield event_of(self._receive(connection)[0])

    def run(self, steps: Sequence[Step | Any], on_result: Callable[[Event], None]) -> bool:
        """Execute checks and actions, also given as data; calls `on_result` for each result.

        Whether all held. StepsError if one of them is wrong: then none is executed.
        """
        from lab.runtime.protocol import event_of  # noqa: PLC0415 (as above)

        documents = [
            step.model_dump(mode="json", by_alias=True, exclude_unset=True)
            if hasattr(step, "model_dump")
            else step
            for step in steps
        ]
        self._require_answer()
        with self._conversation() as connection:
            wire.send(connection, {"request": "run", "steps": documents})
            while True:
                message, _ = self._receive(connection)
                if "ok" in message:
                    return bool(message["ok"])
                if "problems" in message:
                    raise _steps_error(message)
                on_result(event_of(message))

    def exec(
        self, node: str, argv: Sequence[str], *, input: str = "", limit: float = 30.0
    ) -> Completed:
        """Run a program in a node to its end, within `limit` seconds."""
        request = {"request": "exec", "node": node, "argv": list(argv)}
        return Completed(**self._ask({**request, "input": input, "limit": limit})[0])

    def enter(self, node: str) -> Entrance:
        """The entrance to a node, for lab.runtime.enter."""
        kind, descriptors = self._ask({"request": "enter", "node": node})
        return Entrance(kind, tuple(descriptors))

    def operate(
        self, gateway: str, action: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """An operator's request to a gateway: get, put, delete, sessions, log, disconnect,
        profile."""
        request = {"request": "operate", "gateway": gateway, "action": action}
        answer: dict[str, Any] = self._ask({**request, "body": body or {}})[0]
        return answer

    def explain(self, subject: str, to: str = "", size: int = 0) -> dict[str, Any]:
        """Why a client, a host or a site is not connected, as data (lab.explain.model); `to`:
        HOST:PORT to be reached; `size`: also by a packet of so many bytes."""
        request = {"request": "explain", "subject": subject, "to": to, "size": size}
        answer: dict[str, Any] = self._ask(request)[0]
        return answer

    def expected(self) -> dict[str, Any]:
        """The topology's own `expect:`: `file`, and of each step `line`, `text` and `step`."""
        answer: dict[str, Any] = self._ask({"request": "expected"})[0]
        return answer

    def settle(self) -> None:
        """Let the lab write all that its programs have logged into the journal."""
        self._ask({"request": "settle"}, limit=SETTLING)

    def package(self, name: str) -> bytes:
        """The VPN client package (zip) of a gateway, or for a client."""
        return base64.b64decode(self._ask({"request": "package", "name": name})[0])

    def alive(self) -> socket.socket:
        """A connection that is readable as soon as the lab has ended; the caller closes it."""
        return self._directory.connect()

    def decide(self, user: str, *, approve: bool) -> list[str]:
        """Answer a user's second factor; the RADIUS servers that asked, or UsageError."""
        request = {"request": "decide", "user": user, "approve": approve}
        servers: list[str] = self._ask(request)[0]
        return servers

    def down(self, *, keep_logs: bool = False) -> None:
        """End the lab, wait until all its processes are gone, and remove its directory."""
        try:
            connection = self._directory.connect()
        except OSError:
            connection = None
        if connection:
            with closing(connection):
                pid = _peer(connection)
                first = os.pidfd_open(pid)
                try:
                    self._end(connection, pid, first)
                finally:
                    os.close(first)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if not keep_logs:
            self._directory.remove()

    def _end(self, connection: socket.socket, pid: int, first: int) -> None:
        """Request the end, and wait for PID 1 (`first` is its pidfd), which the kernel keeps until
        all other processes of the lab are gone."""
        connection.settimeout(ENDING)
        with suppress(EOFError, OSError):  # a lab that does not answer is killed
            wire.send(connection, {"request": "down"})
            wire.receive(connection)
        if not _has_ended(pid, first):
            signal.pidfd_send_signal(first, signal.SIGKILL)
            if not _has_ended(pid, first):
                raise LabError(
                    f"lab {self.name} does not end: one of its programs cannot be killed now",
                    "continue or end programs that you stopped in it (p2slab exec, a debugger)",
                )

    def _require_answer(self) -> None:
        """LabError if its supervisor is stopped, or busy for long."""
        try:
            self._ask({"request": "names"}, limit=ANSWERING)
        except TimeoutError:
            raise LabError(
                f"lab {self.name} does not answer within {ANSWERING:g} s",
                "continue its processes if you have stopped them, or take it down: "
                f"p2slab down {self.name}",
            ) from None

    def _ask(self, request: wire.Message, *, limit: float | None = None) -> tuple[Any, list[int]]:
        """The answer, and its descriptors. TimeoutError: none within `limit` seconds; without one,
        LabError if the lab answers nothing at all."""
        if limit is None:
            self._require_answer()
        with self._conversation() as connection:
            connection.settimeout(limit)
            wire.send(connection, request)
            message, descriptors = self._receive(connection)
            return message["ok"], descriptors

    def _receive(self, connection: socket.socket) -> tuple[wire.Message, list[int]]:
        try:
            message, descriptors = wire.receive(connection)
        except (EOFError, ConnectionError):
            error, remedy = f"lab {self.name} has ended", f"see {self.logs}"
            if self._lifeline is not None:  # it is ours, and nobody else's to take down
                raise LabError(error, remedy) from None
            raise UsageError(error, f"p2slab status; if its logs are kept, {remedy}") from None
        if "error" in message:
            raise exception_of(message["error"])
        return message, descriptors

    @contextmanager
    def _conversation(self) -> Iterator[socket.socket]:
        try:
            connection = self._directory.connect()
        except OSError as error:
            reason = error.strerror
            raise UsageError(
                f"lab {self.name} is not running ({reason})", "p2slab status"
            ) from None
        with closing(connection):
            yield connection


def _steps_error(message: wire.Message) -> UsageError:
    from lab.topology.reading.problems import Problem, StepsError  # noqa: PLC0415 (for errors)

    problems = [Problem(**{**row, "path": tuple(row["path"])}) for row in message["problems"]]
    return StepsError(problems, message["of"])


def _has_ended(pid: int, first: int) -> bool:
    """Whether the lab ends within ENDING; `first` is the pidfd of its PID 1."""
    from lab.kernel.processes import is_over  # noqa: PLC0415 (asyncio: not for every verb)

    gone = select.poll()
    gone.register(first, select.POLLIN)
    for _ in range(round(ENDING / POLL_INTERVAL)):
        if gone.poll(POLL_INTERVAL * 1000):
            return True
        with suppress(OSError):
            if is_over(pid):
                return True
    return False


def _peer(connection: socket.socket) -> int:
    """The process ID of the listener, PID 1 of the lab, in our PID namespace."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid: int = _PEER.unpack(peer)[0]
    return pid
