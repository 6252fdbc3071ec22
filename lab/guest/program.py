"""Run a program for a supervisor: pipes or a terminal, signals, exit code."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import termios
from contextlib import suppress

from lab.guest import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lab.guest.job import Job

DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these signals; programs should not."""
DRAINED = 32
"""Chunks of output read after a program's end: more than a pipe or a terminal buffers, but limited,
because a process that it left behind may go on writing."""
HANGING = select.POLLHUP | select.POLLERR | select.POLLNVAL


def run(job: Job) -> None:
    """The job `run`."""
    Run(job).work()


class Run:
    """One program, and a loop that relays its bytes; no direction waits for another."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._line = job.line
        self._poll = select.poll()
        self._outputs: dict[int, bytes] = {}
        """Our ends of the program's outputs, with their kinds of frame."""
        self._input = -1
        self._unsent = bytearray()
        """Bytes for the supervisor."""
        self._unfed = bytearray()
        """Bytes for the program."""
        self._input_ends = False
        self._connected = True
        """Whether the supervisor is still connected."""
        terminal = job.request.get("terminal")
        self._actions, self._theirs = self._terminal(terminal) if terminal else self._pipes()
        self.pid = self._start()
        self._end = os.pidfd_open(self.pid)
        self.code: int | None = None

    # ---- start

    def _pipes(self) -> tuple[list[Any], list[int]]:
        ends = []
        apart = ((wire.OUTPUT, [1]), (wire.ERRORS, [2]))
        for kind, numbers in [(wire.OUTPUT, [1, 2])] if self._job.request["together"] else apart:
            ours, theirs = os.pipe()
            self._outputs[ours] = kind
            ends += [(theirs, number) for number in numbers]
        if self._job.request["input"]:
            theirs, self._input = os.pipe()
            os.set_blocking(self._input, False)
        else:
            theirs = os.open(os.devnull, os.O_RDONLY)
        ends.append((theirs, 0))
        return [(os.POSIX_SPAWN_DUP2, *end) for end in ends], list({theirs for theirs, _ in ends})

    def _terminal(self, size: list[int]) -> tuple[list[Any], list[int]]:
        """Open a terminal: the first one that a new session opens is its own (tty_ioctl(4))."""
        ours, theirs = os.openpty()
        _resize(ours, size)
        self._outputs[ours] = wire.OUTPUT
        self._input = os.dup(ours)
        os.set_blocking(self._input, False)
        opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(theirs), os.O_RDWR, 0)
        copies = ((os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2))
        return [opened, *copies], [theirs]

    def _start(self) -> int:
        request = self._job.request
        try:
            return os.posix_spawnp(
                request["argv"][0],
                request["argv"],
                request["env"],
                file_actions=self._actions,
                setsid=True,
                setsigdef=DEFAULTS,
                setsigmask=(),
            )
        except OSError:
            self._close(*self._outputs, *([self._input] if self._input >= 0 else []))
            raise
        finally:
            self._close(*self._theirs)

    # ---- the loop

    def work(self) -> None:
        """Run until the program has ended and no process can write to its outputs."""
        self._send_number(wire.STARTED, self.pid)
        self._line.setblocking(False)
        for output in self._outputs:
            os.set_blocking(output, False)
        self._poll.register(self._end, select.POLLIN)
        self._handle_requests()
        while self._outputs or self.code is None or self._unsent:
            self._watch()
            for descriptor, events in self._poll.poll():
                self._serve(descriptor, events)
        if self._input >= 0:
            self._close(self._input)

    def _watch(self) -> None:
        """Set up the next poll: an output is read only after its previous bytes are sent."""
        for output in self._outputs:
            self._poll.register(output, 0 if self._unsent else select.POLLIN)
        if self._input >= 0 and self._unfed:
            self._poll.register(self._input, select.POLLOUT)
        if self._connected:
            wanted = select.POLLIN | select.POLLRDHUP
            self._poll.register(self._line, wanted | (select.POLLOUT if self._unsent else 0))

    def _serve(self, descriptor: int, events: int) -> None:
        if descriptor == self._end:
            self._reap()
        elif descriptor in self._outputs:
            if not self._unsent:
                self._read_output(descriptor)
        elif descriptor == self._input and self._unfed:
            self._feed()
        elif descriptor != self._line.fileno():
            pass  # closed since poll returned, or already fed
        elif events & (select.POLLRDHUP | HANGING):
            self._disconnect()
        elif self._receive(events):
            self._handle_requests()
            self._send()
        else:
            self._disconnect()

    def _receive(self, events: int) -> bool:
        try:
            return not events & select.POLLIN or self._job.receive()
        except OSError:
            return False

    def _reap(self) -> None:
        """Reap the program; send its remaining output before its exit code."""
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        self._poll.unregister(self._end)
        os.close(self._end)
        for output in list(self._outputs):
            for _ in range(DRAINED):
                if not self._read_output(output):
                    break
        self._send_number(wire.ENDED, self.code)

    def _read_output(self, output: int) -> bool:
        """Send a chunk of output to the supervisor; whether there was one."""
        try:
            data = os.read(output, wire.CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: no process has the terminal open
            data = b""
        if data:
            self._send_frame(self._outputs[output], data)
            return True
        self._poll.unregister(output)
        del self._outputs[output]
        os.close(output)
        return False

    def _send_number(self, kind: bytes, value: int) -> None:
        self._send_frame(kind, json.dumps(value).encode())

    def _send_frame(self, kind: bytes, payload: bytes) -> None:
        if self._connected:
            self._unsent += wire.pack(kind, payload)
            self._send()

    def _send(self) -> None:
        while self._unsent:
            try:
                sent = self._line.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._disconnect()
                return
            del self._unsent[:sent]

    def _feed(self) -> None:
        before = len(self._unfed)
        try:
            while self._unfed:
                del self._unfed[: os.write(self._input, self._unfed)]
        except BlockingIOError:
            pass
        except OSError:  # the program has closed its input
            self._unfed.clear()
            self._input_ends = True
        if before > len(self._unfed):
            self._send_number(wire.TAKEN, before - len(self._unfed))
        if self._unfed:
            return
        if self._input_ends:
            self._close(self._input)
            self._input = -1
        else:
            self._poll.unregister(self._input)

    # ---- the supervisor's frames

    def _handle_requests(self) -> None:
        while self._job.arrived:
            kind, payload = self._job.arrived.pop(0)
            if kind == wire.BODY:
                self._accept_input(payload)
            elif kind == wire.SIZE:
                _resize(self._input, json.loads(payload))
            elif self.code is None:
                self._signal(kind, payload)

    def _accept_input(self, data: bytes) -> None:
        if self._input < 0:
            return
        self._unfed += data
        self._input_ends = self._input_ends or not data
        self._poll.register(self._input, select.POLLOUT)
        self._feed()

    def _signal(self, kind: bytes, payload: bytes) -> None:
        with suppress(ProcessLookupError):
            if kind == wire.SIGNAL:
                os.kill(self.pid, json.loads(payload))
            elif kind == wire.GROUP:
                os.killpg(self.pid, json.loads(payload))
            else:
                kill_session(self.pid)

    def _disconnect(self) -> None:
        """The supervisor has closed the connection: kill the program."""
        if not self._connected:
            return
        self._connected = False
        self._unsent.clear()
        self._poll.unregister(self._line)
        if self.code is None:
            kill_session(self.pid)

    def _close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            with suppress(KeyError):
                self._poll.unregister(descriptor)
            os.close(descriptor)


def kill_session(session: int) -> None:
    """SIGKILL to every process of a session, repeated until there is none, as one may fork."""
    while found := [pid for pid in _processes() if _session(pid) == session]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (as above)


def _session(pid: int) -> int:
    """The session of a live process; -1 for a zombie or if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
    except OSError:
        return -1
    return -1 if state in (b"Z", b"X") else int(session)


def _resize(terminal: int, size: list[int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
