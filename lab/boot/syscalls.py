"""The system calls that Python 3.9 lacks: unshare, setns, mount, prctl. OSError names the call."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_RELATIME = 0x200000

PR_SET_PDEATHSIG = 1

# statvfs's ST_ flags that a less privileged mount namespace must keep when it remounts.
_LOCKED = {
    0x1: MS_RDONLY,
    0x2: MS_NOSUID,
    0x4: MS_NODEV,
    0x8: MS_NOEXEC,
    0x400: MS_NOATIME,
    0x800: MS_NODIRATIME,
    0x1000: MS_RELATIME,
}

# The same numbers on every architecture (linux/mount.h, fcntl.h).
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _done(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """setns(2); `kind` is one of the CLONE_ flags."""
    _done(_libc.setns(descriptor, kind), "setns")


def die_with_parent(signal: int) -> None:
    """Let the kernel send `signal` to this process when its parent dies.

    A change of user, group or capabilities resets it: call it after those.
    """
    _done(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(options) if options else None,
    )
    _done(result, f"mount {kind or 'bind'} on {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Bind-mount the directory or file `source` at `target`, including mounts below it."""
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        present = os.statvfs(target).f_flag
        kept = sum(flag for bit, flag in _LOCKED.items() if present & bit)
        mount("none", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def clone_tree(directory: str) -> int:
    """A descriptor of a copy of the mounts at and below the directory, for attach_tree. It calls
    open_tree(2), which this libc may not have."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    tree: int = _libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(directory), flags)
    _done(min(tree, 0), f"open_tree {directory}")
    return tree


def attach_tree(tree: int, target: str) -> None:
    """Mount the tree of clone_tree at `target`, and close it."""
    result = _libc.syscall(
        _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
    )
    _done(result, f"move_mount to {target}")
    os.close(tree)


def _done(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
