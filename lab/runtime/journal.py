"""The journal: every line that the lab's programs log, by time, with its node and program.

The supervisor writes it, in the order in which the kernel reports the writes (inotify(7)), into the
run directory, which is outside the lab's own mounts: it outlives the lab, however the lab ends.

Programs may write faster than lines can be told apart: of each log, the newest lines are taken at a
look, and the journal's own size is bounded.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gateway.common import calls
from lab.boot import own

NAME = "journal.log"
OLD = f"{NAME}.old"
"""In the lab's directory for logs; the second is the older part."""
LONGEST_LINE = 4000
"""Characters; the rest of a longer line is not kept."""
MOST_PLACES = 1000
"""Directories that are watched: programs in nodes create them, and the kernel has a limit."""
CHUNK = 1 << 20
MOST_BYTES = CHUNK
MOST_LINES = 10_000
"""Of one log at a look. It takes them about 50 ms, during which the lab does nothing else."""
LIMIT = 4 << 20
"""Bytes of the journal, and of its older part."""
_WATCHED = (
    calls.IN_MODIFY | calls.IN_CREATE | calls.IN_MOVED_TO | calls.IN_ONLYDIR | calls.IN_DONT_FOLLOW
)
_EVENT = struct.Struct("iIII")
"""struct inotify_event without its name."""
_VAGUE = ("access", "cache")
"""Names of logs that do not name their program; their directory does."""


class _Place(NamedTuple):
    directory: Path
    node: str
    """Empty: each directory in it is a node's."""
    below: int
    """Levels of directories below it that are watched too."""


@dataclass
class _Log:
    position: int = 0
    rest: bytes = b""
    """A line that has not ended."""


class Journal:
    """Collects what is written into `*.log` files of nodes."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._inotify = -1
        self._file = -1
        self._places: dict[int, _Place] = {}
        self._read: dict[Path, _Log] = {}

    def fileno(self) -> int:
        """The descriptor that is readable when there is something to collect."""
        return self._inotify

    def open(self) -> None:
        """Create the file and begin to watch the nodes' directories for logs."""
        self._open()
        self._inotify = calls.inotify()
        self._watch(_Place(self._logs, "", 1))

    def follow(self, node: str, directory: Path) -> None:
        """Collect a node's own log files too, in the directory and in those in it."""
        if self._inotify >= 0:
            self._watch(_Place(directory, node, 2))

    def collect(self) -> None:
        """Write all that was logged so far."""
        while self._inotify >= 0:
            try:
                events = os.read(self._inotify, 65536)
            except BlockingIOError:
                return
            at = 0
            while at < len(events):
                number, mask, _, length = _EVENT.unpack_from(events, at)
                at += _EVENT.size
                name = os.fsdecode(events[at : at + length].rstrip(b"\0"))
                at += length
                self._handle(number, mask, name)

    def _handle(self, number: int, mask: int, name: str) -> None:
        place = self._places.get(number)
        if mask & calls.IN_Q_OVERFLOW:
            for each in list(self._places.values()):
                self._look(each)
        elif mask & calls.IN_IGNORED:  # the directory is gone
            self._places.pop(number, None)
        elif place:
            self._entry(place, place.directory / name, directory=bool(mask & calls.IN_ISDIR))

    def _watch(self, place: _Place) -> None:
        if len(self._places) >= MOST_PLACES:
            return
        with suppress(OSError):  # it is gone, is a link, or the kernel's limit is reached
            self._places[calls.watch(self._inotify, str(place.directory), _WATCHED)] = place
            self._look(place)

    def _look(self, place: _Place) -> None:
        with suppress(OSError):
            for entry in sorted(os.scandir(place.directory), key=lambda entry: entry.name):
                path = place.directory / entry.name
                self._entry(place, path, directory=entry.is_dir(follow_symlinks=False))

    def _entry(self, place: _Place, path: Path, *, directory: bool) -> None:
        if directory:
            if place.below:
                self._watch(_Place(path, place.node or path.name, place.below - 1))
        elif place.node and path.suffix == ".log":
            program = path.parent.name if path.stem in _VAGUE else path.stem
            self._append(path, place.node, program)

    def _append(self, path: Path, node: str, program: str) -> None:
        """Write a log's new lines; what a program wrote before a rotation was read then."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except OSError:
            self._read.pop(path, None)
            return
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return
            log = self._read.setdefault(path, _Log())
            if status.st_size < log.position:
                log.position = 0
            self._take(descriptor, status.st_size, log, node, program)
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int, size: int, log: _Log, node: str, program: str) -> None:
        """The newest of a log's new lines, up to its present size."""
        skipped = max(0, size - MOST_BYTES - log.position)
        if skipped:
            log.position, log.rest = log.position + skipped, b""
        chunk = os.pread(descriptor, size - log.position, log.position)
        log.position += len(chunk)
        *lines, log.rest = (log.rest + chunk).split(b"\n")
        log.rest = log.rest[: 4 * LONGEST_LINE]
        if skipped:  # the first one begins in what was skipped
            lines[:1] = []
        more = max(0, len(lines) - MOST_LINES)
        if skipped or more:
            counts = {"bytes": skipped, "lines": more}
            seen = " and ".join(f"{count} {unit}" for unit, count in counts.items() if count)
            note = f"(p2slab: {seen} came too fast; they are not in the journal)"
            lines[:more] = [note.encode()]
        self._write(node, program, lines)

    def _write(self, node: str, program: str, lines: list[bytes]) -> None:
        now = time.time()
        texts = (line.decode(errors="replace").rstrip("\r")[:LONGEST_LINE] for line in lines)
        rows = (
            json.dumps([now, node, program, text]).encode() + b"\n"
            for text in texts
            if text.strip()
        )
        with suppress(OSError):  # the disk is full
            part: list[bytes] = []
            room = self._room()
            for row in rows:
                if len(row) > room:
                    os.write(self._file, b"".join(part))
                    self._rotate()
                    part, room = [], LIMIT
                part.append(row)
                room -= len(row)
            os.write(self._file, b"".join(part))

    def _room(self) -> int:
        """Bytes that the present part still takes."""
        return LIMIT - os.fstat(self._file).st_size

    def _rotate(self) -> None:
        """Begin a new part; the former one replaces the older one."""
        former = self._file
        (self._logs / NAME).replace(self._logs / OLD)
        self._open()
        os.close(former)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = own.open_file(str(self._logs / NAME), flags)


class Line(NamedTuple):
    """One line of the journal."""

    time: float
    """Seconds since the epoch."""
    node: str
    program: str
    text: str


class Reader:
    """Reads a journal from its beginning, or only what is written from now on."""

    def __init__(self, logs: Path, *, from_now: bool = False) -> None:
        self._logs = logs
        try:
            self._file = own.open_file(str(logs / NAME), os.O_RDONLY)
        except FileNotFoundError:  # or it is being rotated just now
            self._file = own.open_file(str(logs / OLD), os.O_RDONLY)
        self._position = os.fstat(self._file).st_size if from_now else 0
        self._rest = b""
        if not from_now:
            with suppress(FileNotFoundError):
                older = own.open_file(str(logs / OLD), os.O_RDONLY)
                os.close(self._file)
                self._file = older

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def new(
        self, *, since: float = 0.0, node: str | None = None, program: str | None = None
    ) -> Iterator[Line]:
        """The lines since the last call; only those of a time and later ones, of a node, or of its
        program."""
        names = [json.dumps(one) for one in (node, program) if one is not None]
        wanted = f", {', '.join(names)}, ".encode() if names else b""
        for row in self._rows():
            head, comma, rest = row.partition(b",")
            with suppress(ValueError, TypeError):  # a part of a line: the disk was full
                if (comma + rest).startswith(wanted) and float(head[1:]) >= since:
                    yield Line(*json.loads(row))

    def _rows(self) -> Iterator[bytes]:
        while True:
            final = self._succeeded()
            while chunk := os.pread(self._file, CHUNK, self._position):
                self._position += len(chunk)
                *rows, self._rest = (self._rest + chunk).split(b"\n")
                yield from rows
            if not final or not self._go_on():
                return

    def _succeeded(self) -> bool:
        """Whether nothing more is written into the present file."""
        with suppress(FileNotFoundError):
            return not _same(self._file, self._logs / NAME)
        return False  # the logs were removed

    def _go_on(self) -> bool:
        """Open the next part: the older one, unless it is this one, then the present one. False:
        there is none at the moment."""
        older = self._logs / OLD
        try:
            is_older = not older.exists() or _same(self._file, older)
            following = own.open_file(str(self._logs / NAME if is_older else older), os.O_RDONLY)
            missed = is_older and older.exists() and not _same(self._file, older)
        except FileNotFoundError:
            return False
        if missed:  # it was rotated in between, and the older part is the next one
            os.close(following)
            return True
        os.close(self._file)
        self._file, self._position, self._rest = following, 0, b""
        return True


def _same(descriptor: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(descriptor), path.lstat())
