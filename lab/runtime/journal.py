"""The journal: every line that the lab's programs log, by time, with its node and program.

The supervisor writes it, in the order in which the kernel reports the writes (inotify(7)), into the
run directory, which is outside the lab's own mounts: it outlives the lab, however the lab ends. It
is kept small as other logs are (gateway.common.rotation).
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
"""In the lab's directory for logs."""
LONGEST_LINE = 4000
"""Characters; the rest of a longer line is not kept."""
MOST_PLACES = 1000
"""Directories that are watched: programs in nodes create them, and the kernel has a limit."""
CHUNK = 1 << 20
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
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = own.open_file(str(self._logs / NAME), flags)
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
            while chunk := os.pread(descriptor, CHUNK, log.position):
                log.position += len(chunk)
                *lines, log.rest = (log.rest + chunk).split(b"\n")
                log.rest = log.rest[: 4 * LONGEST_LINE]
                self._write(node, program, lines)
        finally:
            os.close(descriptor)

    def _write(self, node: str, program: str, lines: list[bytes]) -> None:
        now = time.time()
        texts = (line.decode(errors="replace").rstrip("\r")[:LONGEST_LINE] for line in lines)
        rows = [json.dumps([now, node, program, text]) for text in texts if text.strip()]
        if rows:
            with suppress(OSError):  # the disk is full
                os.write(self._file, "\n".join([*rows, ""]).encode())


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
        self._old = logs / f"{NAME}.old"
        """The older part (gateway.common.rotation)."""
        self._file = own.open_file(str(logs / NAME), os.O_RDONLY)
        self._generation = self._rotated()
        self._position = os.fstat(self._file).st_size if from_now else 0
        self._rest = b"" if from_now else self._older(0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def new(self) -> Iterator[Line]:
        """The lines since the last call."""
        data = self._rest
        if (generation := self._rotated()) != self._generation:
            data += self._older(self._position)
            self._generation, self._position = generation, 0
        while chunk := os.pread(self._file, CHUNK, self._position):
            self._position += len(chunk)
            data += chunk
        *rows, self._rest = data.split(b"\n")
        for row in rows:
            with suppress(ValueError, TypeError):  # a part of a line, after a rotation
                yield Line(*json.loads(row))

    def _rotated(self) -> int:
        """Differs after each rotation."""
        with suppress(FileNotFoundError):
            return os.lstat(self._old).st_mtime_ns
        return 0

    def _older(self, position: int) -> bytes:
        with suppress(FileNotFoundError):
            descriptor = own.open_file(str(self._old), os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                file.seek(position)
                return file.read()
        return b""
