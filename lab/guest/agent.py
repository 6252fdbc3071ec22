"""The agent of a user-mode Linux node: does what its supervisor asks, one connection an errand."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import threading
from contextlib import suppress

from lab.guest import wire
from lab.guest.errand import Errand
from lab.guest.program import kill_session, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDLE = 4
"""Threads that wait for an errand: making one when it comes would cost 4 ms."""


def serve(listener: socket.socket) -> None:
    """For ever."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    workers = _Workers(listener)
    for _ in range(IDLE):
        workers.hire()
    threading.Event().wait()


class _Workers:
    """Threads that all wait for the next connection; there is always one."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._idle = 0

    def hire(self) -> None:
        """One more."""
        with self._lock:
            self._idle += 1
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        """A thread's life: errand after errand, until enough others are idle."""
        staying = True
        while staying:
            line, _ = self._listener.accept()
            with self._lock:
                self._idle -= 1
                nobody = self._idle == 0
            if nobody:
                self.hire()
            with line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _do(line)
            with self._lock:
                staying = self._idle < IDLE
                self._idle += staying


def _do(line: socket.socket) -> None:
    with suppress(OSError, EOFError):  # the supervisor has gone
        errand = Errand(line)
        try:
            ERRANDS[errand.request["do"]](errand)
        except OSError as error:
            said = [error.errno or 0, error.strerror or str(error), error.filename]
            errand.reply(wire.FAILED, json.dumps(said, default=os.fsdecode).encode())
        _part(line)


def _part(line: socket.socket) -> None:
    """Close when the supervisor has: whatever of its bytes were unread would undo our last ones."""
    line.setblocking(True)
    line.shutdown(socket.SHUT_WR)
    while line.recv(wire.CHUNK):
        pass


def _read(errand: Errand) -> None:
    with open(errand.request["path"], "rb") as file:  # noqa: PTH123 (pathlib costs 40 ms here)
        for chunk in _chunks(file.read):
            errand.reply(wire.BODY, chunk)
    errand.reply(wire.DONE)


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(wire.CHUNK):
        yield chunk


def _write(errand: Errand) -> None:
    path, mode = errand.request["path"], errand.request["mode"]
    _, content = errand.next()
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 (as above)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
    errand.reply(wire.DONE)


def _call(errand: Errand) -> None:
    request = errand.request
    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        result = function(*request["arguments"], **request["keywords"])
        value = json.dumps(result, default=vars).encode()
    except Exception as error:  # noqa: BLE001 (it is raised again at the other end)
        number = error.errno if isinstance(error, OSError) else None
        text = error.strerror if number and isinstance(error, OSError) else str(error)
        said = [type(error).__name__, number, text or ""]
        errand.reply(wire.RAISED, json.dumps(said).encode())
        return
    errand.reply(wire.BODY, value)
    errand.reply(wire.DONE)


def _connect(errand: Errand) -> None:
    with socket.socket(socket.AF_UNIX) as far:
        far.connect(errand.request["path"])
        errand.reply(wire.DONE)
        back = threading.Thread(target=_pass_on, args=(far, errand.line), daemon=True)
        back.start()
        _pass_on(errand.line, far)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Until the end of `source`, which becomes that of `target`."""
    try:
        while data := source.recv(wire.CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _kill(errand: Errand) -> None:
    kill_session(errand.request["session"])
    errand.reply(wire.DONE)


ERRANDS: dict[str, Callable[[Errand], None]] = {
    "run": run,
    "read": _read,
    "write": _write,
    "call": _call,
    "connect": _connect,
    "kill": _kill,
}
