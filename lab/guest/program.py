"""Run a program for a supervisor: pipes or a terminal of its own, signals, exit code."""

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

    from lab.guest.errand import Errand

DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them; programs shall not."""
DRAINED = 32
"""Pieces of output read at a program's end: more than a pipe or a terminal holds, but not for
ever, because a process that it left behind may go on writing."""
HANGING = select.POLLHUP | select.POLLERR | select.POLLNVAL


def run(errand: Errand) -> None:
    """Errand `run`."""
    Run(errand).work()


class Run:
    """One program, and one loop that moves its bytes; no direction ever waits for another."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._line = errand.line
        self._poll = select.poll()
        self._outputs: dict[int, bytes] = {}
        """Ours of the program's outputs to the kind of frame."""
        self._input = -1
        self._unsent = bytearray()
        """For the supervisor."""
        self._unfed = bytearray()
        """For the program."""
        self._input_ends = False
        self._there = True
        """Whether the supervisor is still there."""
        terminal = errand.request.get("terminal")
        self._actions, self._theirs = self._terminal(terminal) if terminal else self._pipes()
        self.pid = self._start()
        self._end = os.pidfd_open(self.pid)
        self.code: int | None = None

    # ---- beginning

    def _pipes(self) -> tuple[list[Any], list[int]]:
        ends = []
        apart = ((wire.OUTPUT, [1]), (wire.ERRORS, [2]))
        for kind, numbers in [(wire.OUTPUT, [1, 2])] if self._errand.request["together"] else apart:
            ours, theirs = os.pipe()
            self._outputs[ours] = kind
            ends += [(theirs, number) for number in numbers]
        if self._errand.request["input"]:
            theirs, self._input = os.pipe()
            os.set_blocking(self._input, False)
        else:
            theirs = os.open(os.devnull, os.O_RDONLY)
        ends.append((theirs, 0))
        return [(os.POSIX_SPAWN_DUP2, *end) for end in ends], list({theirs for theirs, _ in ends})

    def _terminal(self, size: list[int]) -> tuple[list[Any], list[int]]:
        """A new session's first terminal that it opens is its own (tty_ioctl(4))."""
        ours, theirs = os.openpty()
        _resize(ours, size)
        self._outputs[ours] = wire.OUTPUT
        self._input = os.dup(ours)
        os.set_blocking(self._input, False)
        opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(theirs), os.O_RDWR, 0)
        copies = ((os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2))
        return [opened, *copies], [theirs]

    def _start(self) -> int:
        request = self._errand.request
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
        """Until the program has ended and nobody can write into its outputs any more."""
        self._say(wire.STARTED, self.pid)
        self._line.setblocking(False)
        for output in self._outputs:
            os.set_blocking(output, False)
        self._poll.register(self._end, select.POLLIN)
        self._follow_requests()
        while self._outputs or self.code is None or self._unsent:
            self._watch()
            for descriptor, events in self._poll.poll():
                self._serve(descriptor, events)
        if self._input >= 0:
            self._close(self._input)

    def _watch(self) -> None:
        """What the next poll is about: an output is read only when its last bytes are sent."""
        for output in self._outputs:
            self._poll.register(output, 0 if self._unsent else select.POLLIN)
        if self._input >= 0 and self._unfed:
            self._poll.register(self._input, select.POLLOUT)
        if self._there:
            wanted = select.POLLIN | select.POLLRDHUP
            self._poll.register(self._line, wanted | (select.POLLOUT if self._unsent else 0))

    def _serve(self, descriptor: int, events: int) -> None:
        if descriptor == self._end:
            self._collect()
        elif descriptor in self._outputs:
            if not self._unsent:
                self._take(descriptor)
        elif descriptor == self._input and self._unfed:
            self._feed()
        elif descriptor != self._line.fileno():
            pass  # closed since poll told of it, or fed by what the line brought
        elif events & (select.POLLRDHUP | HANGING):
            self._lose()
        elif self._hears(events):
            self._follow_requests()
            self._send()
        else:
            self._lose()

    def _hears(self, events: int) -> bool:
        try:
            return not events & select.POLLIN or self._errand.receive()
        except OSError:
            return False

    def _collect(self) -> None:
        """It has ended: what it had written comes before its exit code."""
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        self._poll.unregister(self._end)
        os.close(self._end)
        for output in list(self._outputs):
            for _ in range(DRAINED):
                if not self._take(output):
                    break
        self._say(wire.ENDED, self.code)

    def _take(self, output: int) -> bool:
        """One piece of output for the supervisor; whether there was one."""
        try:
            data = os.read(output, wire.CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody has the terminal any more
            data = b""
        if data:
            self._tell(self._outputs[output], data)
            return True
        self._poll.unregister(output)
        del self._outputs[output]
        os.close(output)
        return False

    def _say(self, kind: bytes, value: int) -> None:
        self._tell(kind, json.dumps(value).encode())

    def _tell(self, kind: bytes, payload: bytes) -> None:
        if self._there:
            self._unsent += wire.pack(kind, payload)
            self._send()

    def _send(self) -> None:
        while self._unsent:
            try:
                sent = self._line.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._lose()
                return
            del self._unsent[:sent]

    def _feed(self) -> None:
        before = len(self._unfed)
        try:
            while self._unfed:
                del self._unfed[: os.write(self._input, self._unfed)]
        except BlockingIOError:
            pass
        except OSError:  # it has closed its input
            self._unfed.clear()
            self._input_ends = True
        if before > len(self._unfed):
            self._say(wire.TAKEN, before - len(self._unfed))
        if self._unfed:
            return
        if self._input_ends:
            self._close(self._input)
            self._input = -1
        else:
            self._poll.unregister(self._input)

    # ---- what the supervisor wants

    def _follow_requests(self) -> None:
        while self._errand.arrived:
            kind, payload = self._errand.arrived.pop(0)
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

    def _lose(self) -> None:
        """The supervisor has closed: nobody holds the program any more."""
        if not self._there:
            return
        self._there = False
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
    """SIGKILL to every process of a session; again until there is none, for one may fork."""
    while found := [pid for pid in _processes() if _session(pid) == session]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (as above)


def _session(pid: int) -> int:
    """Of a living process; a zombie has none any more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
    except OSError:
        return -1
    return -1 if state in (b"Z", b"X") else int(session)


def _resize(terminal: int, size: list[int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
