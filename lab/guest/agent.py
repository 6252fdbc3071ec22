"""The agent of a user-mode Linux node: executes its supervisor's jobs, one per connection."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import threading
from contextlib import suppress

from lab.guest import wire
from lab.guest.job import Job
from lab.guest.program import kill_session, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDLE = 4
"""Threads that wait for a job: starting one on demand would cost 4 ms."""


def serve(listener: socket.socket) -> None:
    """Serve connections; never returns."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    workers = _Workers(listener)
    for _ in range(IDLE):
        workers.add()
    threading.Event().wait()


class _Workers:
    """Threads that wait for the next connection; at least one always does."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._idle = 0

    def add(self) -> None:
        """Start one more thread."""
        with self._lock:
            self._idle += 1
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        """Execute job after job, until enough other threads are idle."""
        staying = True
        while staying:
            line, _ = self._listener.accept()
            with self._lock:
                self._idle -= 1
                all_busy = self._idle == 0
            if all_busy:
                self.add()
            with line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _execute(line)
            with self._lock:
                staying = self._idle < IDLE
                self._idle += staying


def _execute(line: socket.socket) -> None:
    with suppress(OSError, EOFError):  # the supervisor has disconnected
        job = Job(line)
        try:
            JOBS[job.request["do"]](job)
        except OSError as error:
            failure = [error.errno or 0, error.strerror or str(error), error.filename]
            job.reply(wire.FAILED, json.dumps(failure, default=os.fsdecode).encode())
        _close_last(line)


def _close_last(line: socket.socket) -> None:
    """Close after the supervisor: closing with unread bytes would discard our last bytes."""
    line.setblocking(True)
    line.shutdown(socket.SHUT_WR)
    while line.recv(wire.CHUNK):
        pass


def _read(job: Job) -> None:
    with open(job.request["path"], "rb") as file:  # noqa: PTH123 (pathlib costs 40 ms here)
        for chunk in _chunks(file.read):
            job.reply(wire.BODY, chunk)
    job.reply(wire.DONE)


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(wire.CHUNK):
        yield chunk


def _write(job: Job) -> None:
    path, mode = job.request["path"], job.request["mode"]
    _, content = job.next()
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 (as above)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
    job.reply(wire.DONE)


def _call(job: Job) -> None:
    request = job.request
    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        result = function(*request["arguments"], **request["keywords"])
        value = json.dumps(result, default=vars).encode()
    except Exception as error:  # noqa: BLE001 (the supervisor raises it again)
        number = error.errno if isinstance(error, OSError) else None
        text = error.strerror if number and isinstance(error, OSError) else str(error)
        raised = [type(error).__name__, number, text or ""]
        job.reply(wire.RAISED, json.dumps(raised).encode())
        return
    job.reply(wire.BODY, value)
    job.reply(wire.DONE)


def _connect(job: Job) -> None:
    with socket.socket(socket.AF_UNIX) as far:
        far.connect(job.request["path"])
        job.reply(wire.DONE)
        back = threading.Thread(target=_pass_on, args=(far, job.line), daemon=True)
        back.start()
        _pass_on(job.line, far)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the end of `source`, then end `target`."""
    try:
        while data := source.recv(wire.CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _kill(job: Job) -> None:
    kill_session(job.request["session"])
    job.reply(wire.DONE)


JOBS: dict[str, Callable[[Job], None]] = {
    "run": run,
    "read": _read,
    "write": _write,
    "call": _call,
    "connect": _connect,
    "kill": _kill,
}
