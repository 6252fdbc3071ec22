"""Directories, files, locks and sockets that only this user may write; others are refused.

Files that another user may write or replace are not used: a planted link could make us overwrite a
file of ours, a planted socket could send us commands. As in ssh, all parent directories are checked
too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import socket
import stat
import struct
from typing import TYPE_CHECKING, Callable

from lab.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = 0
_MOST_LINKS = 40
_EVERYBODY = ["0", "0", "4294967295"]
_OTHERS_WRITE = 0o022
_PEER = struct.Struct("iII")
"""struct ucred (unix(7))."""

Say = Callable[[str], None]


def why_not(directory: str) -> str:
    """The reason why another user may write in the directory or replace it; empty if none may.

    Every parent directory must belong to root or us, and must not be writable by others unless it
    is sticky, as /tmp is.
    """
    try:
        steps = list(_steps(directory))
    except OSError as error:
        return f"{error.filename or directory}: {error.strerror}"
    for path, status in steps[:-1]:
        if status.st_uid not in _trusted():
            return f"{path}, which leads there, belongs to user {status.st_uid}"
        if stat.S_ISDIR(status.st_mode) and _writable(status) and not status.st_mode & stat.S_ISVTX:
            return f"others may write in {path}, which leads there"
    return _why_not_ours(*steps[-1])


def refuse(directory: str, what: str, remedy: str) -> None:
    """Raise MachineError if `why_not` has a reason; `what` describes the directory."""
    reason = why_not(directory)
    if reason:
        raise MachineError(f"{what} {directory} is not used: {reason}", remedy)


def make_directory(directory: str, what: str, remedy: str) -> str:
    """The directory, created (0700) with its parents; MachineError as in `refuse`, OSError."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    refuse(directory, what, remedy)
    return directory


def open_directory(name: str, *, within: int | None = None, make: bool = False) -> int:
    """A descriptor of a directory of ours; MachineError if it is a link or not ours, OSError.

    `within`: the descriptor of the trusted directory that the name is relative to.
    """
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=within)
    flags = os.O_RDONLY | os.O_DIRECTORY
    return _opened(name, flags, within, lambda status: _why_not_ours(name, status))


def open_file(name: str, flags: int, *, within: int | None = None) -> int:
    """A descriptor of a regular file of ours, created with 0600; MachineError if it is a link, has
    hard links, is another kind of file or is not ours; OSError. Opening never blocks.
    """

    def wrong(status: os.stat_result) -> str:
        if not stat.S_ISREG(status.st_mode):
            return "it is not a regular file"
        if status.st_nlink > 1:
            return "it is a hard link to another file, as cp -l makes them"
        return "" if status.st_uid == os.geteuid() else f"it belongs to user {status.st_uid}"

    descriptor = _opened(name, flags | os.O_NONBLOCK, within, wrong)
    os.set_blocking(descriptor, True)
    return descriptor


def lock(path: str, doing: str, say: Say, *, shared: bool = False, wait: bool = True) -> int | None:
    """A descriptor that holds the lock of a lock file; 0600, so that no other user can lock it.

    If another process of ours has the lock, `say` prints that it is `doing` something. None if the
    lock is taken and `wait` is false.
    """
    descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
    os.fchmod(descriptor, 0o600)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            os.close(descriptor)
            return None
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        number = f" (process {holder})" if holder.isdigit() else ""
        say(f"p2slab: another p2slab is {doing}{number}; waiting for it")
        fcntl.flock(descriptor, kind)
    if not shared:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def connect(path: str, *, within: int | None = None, shown: str = "") -> socket.socket:
    """A connection to the SOCK_SEQPACKET socket of a process of ours; OSError if there is none,
    MachineError if it is not ours. `shown`: a shorter path of the same socket, if any."""
    status = os.stat(path, dir_fd=within, follow_symlinks=False)
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        raise _foreign(path, "it is not a socket of yours")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(shown or path)
    except OSError:
        connection.close()
        raise
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    user = _PEER.unpack(peer)[1]
    if user != os.geteuid():
        connection.close()
        raise _foreign(path, f"user {user} listens there")
    return connection


def _opened(
    name: str, flags: int, within: int | None, wrong: Callable[[os.stat_result], str]
) -> int:
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=within)
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and _is_link(name, within)):
            raise _foreign(name, "it is a link") from None
        if error.errno == errno.ENXIO:  # a fifo without a reader, or a socket
            raise _foreign(name, "it is not a regular file") from None
        raise
    reason = wrong(os.fstat(descriptor))
    if reason:
        os.close(descriptor)
        raise _foreign(name, reason)
    return descriptor


def _foreign(name: str, reason: str) -> MachineError:
    return MachineError(f"{name} is not used: {reason}", "check who created it, and remove it")


def _is_link(name: str, within: int | None) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)


def _why_not_ours(path: str, status: os.stat_result) -> str:
    if not stat.S_ISDIR(status.st_mode):
        return f"{path} is not a directory"
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}, and you are {os.geteuid()}"
    return f"others may write in it (mode {status.st_mode & 0o7777:o})" if _writable(status) else ""


def _writable(status: os.stat_result) -> bool:
    """Whether others may write; the user's own group without other members does not count."""
    others = status.st_mode & _OTHERS_WRITE
    if others == 0o020:
        return not _is_own_group(status.st_gid)
    return bool(others)


def _is_own_group(number: int) -> bool:
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
        group = grp.getgrgid(number)
    except KeyError:
        return False
    return group.gr_name == name and set(group.gr_mem) <= {name}


def _trusted() -> set[int]:
    """The users that may own parent directories. In a user namespace root may be unmapped."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        whole = file.read().split() == _EVERYBODY
    trusted = {_ROOT, os.geteuid()}
    if not whole:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            trusted.add(int(file.read()))
    return trusted


def _steps(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every directory and link on the path, from the root to the directory itself."""
    rest = [part for part in reversed(os.path.abspath(path).split("/")) if part]
    here, links = "/", 0
    yield here, os.lstat(here)
    while rest:
        part = rest.pop()
        entry = os.path.normpath(os.path.join(here, part))
        status = os.lstat(entry)
        yield entry, status
        if not stat.S_ISLNK(status.st_mode):
            here = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(entry)
        here = "/" if os.path.isabs(target) else here
        rest += [part for part in reversed(target.split("/")) if part]
    if links:
        yield here, os.lstat(here)  # the target of the last link
