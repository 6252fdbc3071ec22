"""Empty namespaces: open descriptors stay usable, and nothing else can be reached.

Numbers: linux/sched.h, linux/mount.h.
"""

from __future__ import annotations

import ctypes
import os

_NEWNS, _NEWUTS, _NEWIPC, _NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
_MNT_DETACH = 2
_COVERED = b"/dev"
"""A directory that every system has; it is covered by the new root."""
_libc = ctypes.CDLL(None, use_errno=True)


def empty() -> str:
    """Enter empty namespaces, as root of the machine or of a user namespace. Returns what could not
    be left, or ""."""
    kept = []
    for what, leave in (("the network", _leave_network), ("the files", _leave_files)):
        try:
            leave()
        except OSError as error:
            kept.append(f"{what}: {error.strerror}")
    return "; ".join(kept)


def _leave_network() -> None:
    _check(_libc.unshare(_NEWNET | _NEWIPC | _NEWUTS), "unshare")


def _leave_files() -> None:
    """Make an empty directory the root; the old root is stacked below it and unmounted."""
    _check(_libc.unshare(_NEWNS), "unshare")
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    options = b"mode=0555,size=4k,nr_inodes=1"
    flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount(b"nothing", _COVERED, b"tmpfs", flags, options)
    os.chdir(_COVERED)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")


def _mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, options: bytes | None
) -> None:
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), options), "mount")


def _check(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
