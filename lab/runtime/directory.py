"""A lab's run directory, the only part outside its process tree: lock, control socket, logs."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.boot import own
from lab.errors import LabError, MachineError, UsageError

BASE = Path("/run/p2slab")
"""The host's directory for labs, at its path inside the private root."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,83}")
MOST_KEPT = 20
LONGEST_KEPT = 7 * 24 * 3600.0
MOST_BYTES = 200_000_000
"""Logs of ended labs: how many of the newest are kept, for how many seconds, how much in all."""
_PARTS = {"lock", "control", "log"}
"""The entries of a lab's directory. A directory with any other entry is not removed."""
_FLOCK = struct.Struct("hhqqi")
"""struct flock: type, whence, start, length, process (fcntl(2))."""
_WHOLE = (os.SEEK_SET, 0, 0, 0)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Turn errors such as a full disk into a MachineError: they are no bugs of ours."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        reason = error.strerror or str(error)
        raise MachineError(
            f"cannot use the run directory {path}: {reason}",
            "free some space there" if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "make it writable, or set XDG_RUNTIME_DIR to a directory that is",
        ) from error  # fmt: skip


class AlreadyUpError(UsageError):
    """A lab of that name is running."""


class RunDirectory:
    """The directory of a lab, whether the lab runs or not.

    Every file opened in it must belong to this user and not be a link; MachineError otherwise.
    """

    def __init__(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a lab's name",
                "letters, digits, '-', '_' and '.', at most 84, the first a letter or a digit",
            )
        self.name = name
        self.path = BASE / name
        self.logs = self.path / "log"
        self.outside = Path(os.environ.get("P2SLAB_RUN", BASE)) / name
        """The path on the host."""
        self._lock = self.path / "lock"
        self._control = self.path / "control"

    def take(self) -> int:
        """Create and lock the directory; a descriptor that holds the lock while it is open."""
        with _usable(self.outside):
            while True:
                with suppress(FileExistsError):
                    BASE.mkdir(mode=0o700, parents=True)
                for place in (BASE, self.path, self.logs):
                    os.close(own.open_directory(str(place), make=place != BASE))
                descriptor = own.open_file(str(self._lock), os.O_RDWR | os.O_CREAT)
                try:
                    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
                except BlockingIOError:
                    os.close(descriptor)
                    raise AlreadyUpError(
                        f"lab {self.name} is already up",
                        f"`p2slab down {self.name}`, or give this one another name with --name",
                    ) from None
                with suppress(FileNotFoundError):  # removed just before we had the lock
                    if os.path.samestat(self._lock.stat(), os.fstat(descriptor)):
                        return descriptor
                os.close(descriptor)

    def forget_logs(self) -> None:
        """Remove the logs of an earlier lab of this name. The caller must hold the lock."""
        import shutil  # noqa: PLC0415 (not for `exec`)

        with _usable(self.outside):
            shutil.rmtree(self.logs)
            self.logs.mkdir(mode=0o700)

    def bind(self) -> socket.socket:
        """The control socket, bound and not yet listening. The caller must hold the lock."""
        with _usable(self.outside):
            self._control.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.bind(str(self._control))
            self._control.chmod(0o600)
            return listener

    def connect(self) -> socket.socket:
        """A connection to the lab's supervisor; OSError if there is none."""
        return own.connect(str(self._control))

    def is_alive(self) -> bool:
        """Whether a process holds the lock, which no stale file can pretend."""
        try:
            os.close(own.open_directory(str(self.path)))
            descriptor = own.open_file(str(self._lock), os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):  # what else lies there is no lab
            return False
        try:
            answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
            return bool(_FLOCK.unpack(answer[: _FLOCK.size])[0] != fcntl.F_UNLCK)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the directory with its logs, unless a lab runs in it again."""
        import shutil  # noqa: PLC0415 (not for `exec`)

        with suppress(UsageError):
            descriptor = self.take()
            shutil.rmtree(self.path)
            os.close(descriptor)


def forget_old() -> None:
    """Remove directories of labs that ended long ago, or exceed MOST_KEPT or MOST_BYTES; only those
    of labs."""
    now = time.time()
    kept = 0
    for number, (began, name) in enumerate(sorted(_ended(), reverse=True)):
        kept += _size(RunDirectory(name).logs)
        if number >= MOST_KEPT or now - began > LONGEST_KEPT or kept > MOST_BYTES:
            with suppress(OSError, LabError):  # the directory may stay
                RunDirectory(name).remove()


def ended() -> list[RunDirectory]:
    """The directories of ended labs whose logs are kept, the newest first."""
    return [RunDirectory(name) for _, name in sorted(_ended(), reverse=True)]


def _size(directory: Path) -> int:
    """Bytes of the files in it; what is removed meanwhile has none, directories included."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total


def _ended() -> Iterator[tuple[float, str]]:
    """Start time and name of each ended lab."""
    if not BASE.is_dir():
        return
    for entry in os.scandir(BASE):
        with suppress(OSError, LabError):  # removed meanwhile, or (own.py) not ours
            directory = RunDirectory(entry.name)
            parts = {part.name for part in directory.path.iterdir()}
            if "lock" in parts and parts <= _PARTS and not directory.is_alive():
                yield entry.stat(follow_symlinks=False).st_mtime, entry.name


def _flock(kind: int) -> bytes:
    return _FLOCK.pack(kind, *_WHOLE)


def running() -> list[RunDirectory]:
    """The directories of all running labs, sorted by name."""
    if not BASE.is_dir():
        return []
    names = sorted(entry.name for entry in BASE.iterdir() if NAME.fullmatch(entry.name))
    return [directory for directory in map(RunDirectory, names) if directory.is_alive()]
