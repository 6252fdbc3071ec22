"""Run a program in a user-mode Linux node as if locally, through its agent (lab.guest.wire).

On a terminal, the program gets a terminal in the node, and this process forwards every key,
including Ctrl-C and Ctrl-Z; otherwise the program's three streams are forwarded.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from lab.guest import wire
from lab.nodes.environment import environment
from lab.nodes.uml_answers import MOST_FRAME, Answers
from lab.runtime.endings import CANNOT_RUN, IGNORED_BY_PYTHON, NOT_FOUND, die_of

ANSWERS = Answers("the node")
INPUT = 0
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
STREAMS = {wire.OUTPUT: 1, wire.ERRORS: 2}
MOST_AHEAD = 4 * wire.CHUNK
"""Bytes of input in flight to a program that does not read; a signal has to wait behind them."""
LOST = 255
"""Exit code if the node went down (like ssh's)."""


def enter_agent(connection: int, argv: Sequence[str]) -> int:
    """Run `argv`; its exit code, or die of the same signal."""
    with socket.socket(fileno=connection) as line:
        line.setblocking(True)
        keyboard = os.isatty(INPUT)
        in_front = not keyboard or os.tcgetpgrp(INPUT) == os.getpgrp()
        terminal = keyboard and in_front and os.isatty(1)
        size = shutil.get_terminal_size()
        request = {
            "do": "run",
            "argv": list(argv),
            "env": environment(),
            "together": False,
            "input": in_front,  # a background command does not read the keyboard
            "terminal": [size.lines, size.columns] if terminal else None,
        }
        line.sendall(wire.pack_json(wire.REQUEST, request))
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        if terminal:
            with _raw(INPUT):
                code = _Relay(line, argv[0], takes_input=True, terminal=True).run()
        else:
            code = _Relay(line, argv[0], takes_input=in_front, terminal=False).run()
    return die_of(-code) if code < 0 else code


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        with suppress(termios.error):  # it may have been closed
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class _Relay:
    """Relays bytes in both directions until the exit code arrives."""

    def __init__(
        self, line: socket.socket, program: str, *, takes_input: bool, terminal: bool
    ) -> None:
        self._line = line
        self._program = program
        self._frames = wire.Frames(MOST_FRAME)
        self._code: int | None = None
        self._unsent = bytearray()
        self._ahead = 0
        """Bytes of input that the program has not read yet."""
        self._input_ended = not takes_input
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)
        if terminal:
            signal.signal(signal.SIGWINCH, self._resize)
        self._woken, wake = socket.socketpair()
        wake.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno())

    def run(self) -> int:
        """Relay until the program ends; its exit code."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        self._line.setblocking(False)
        while self._code is None:
            wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
            poll.register(self._line, wanted)
            if not self._input_ended:
                poll.register(INPUT, select.POLLIN if self._ahead < MOST_AHEAD else 0)
            for descriptor, _ in poll.poll():
                if descriptor == INPUT:
                    if self._ahead < MOST_AHEAD and not self._read_input():
                        poll.unregister(INPUT)
                elif descriptor == self._woken.fileno():
                    self._woken.recv(256)
                else:
                    self._receive()
            self._send()
        return self._code

    def _read_input(self) -> bool:
        """Queue a chunk of standard input for the program; whether there may be more."""
        try:
            data = os.read(INPUT, wire.CHUNK)
        except OSError:  # the terminal is gone
            data = b""
        self._queue(wire.BODY, data)
        self._ahead += len(data)
        self._input_ended = not data
        return bool(data)

    def _receive(self) -> None:
        try:
            data = self._line.recv(wire.CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            sys.stderr.write("p2slab: the node went down\r\n")
            self._code = LOST
        try:
            for kind, payload in self._frames.feed(data):
                self._handle(kind, payload)
        except OverflowError as error:
            raise ANSWERS.wrong(str(error)) from None

    def _handle(self, kind: bytes, payload: bytes) -> None:
        if kind in STREAMS:
            _write(STREAMS[kind], payload)
        elif kind == wire.TAKEN:
            self._ahead -= ANSWERS.taken(payload)
        elif kind == wire.ENDED:
            self._code = ANSWERS.ended(payload)
        elif kind == wire.FAILED:
            self._code = self._refused(ANSWERS.failure(payload))
        else:
            ANSWERS.kind(kind, (wire.STARTED,))

    def _refused(self, error: OSError) -> int:
        missing = isinstance(error, FileNotFoundError)
        reason = "not found in the node" if missing else str(error.strerror)
        sys.stderr.write(f"p2slab: {self._program}: {reason}\r\n")
        return NOT_FOUND if missing else CANNOT_RUN

    def _queue(self, kind: bytes, payload: bytes) -> None:
        self._unsent += wire.pack(kind, payload)

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._line.send(self._unsent)]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._unsent.clear()  # _receive still gets the node's last messages

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        """Forward a signal to the program, or to its process group if a terminal sends it."""
        kind = wire.GROUP if number in (signal.SIGINT, signal.SIGQUIT) else wire.SIGNAL
        self._queue(kind, json.dumps(int(number)).encode())

    def _resize(self, *_: Any) -> None:
        size = shutil.get_terminal_size()
        self._queue(wire.SIZE, json.dumps([size.lines, size.columns]).encode())


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]
