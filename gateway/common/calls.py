"""System calls that Python 3.11 does not offer, through the C library: the one place outside
lab.boot, which also runs on Python 3.9. An OSError's `filename` is the call.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from typing import Any

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000
"""linux/sched.h, CLONE_NEW*"""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOSYMFOLLOW = 1, 2, 4, 8, 256
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSYMFOLLOW = 1, 0x200000
"""linux/mount.h"""

AT_FDCWD, AT_RECURSIVE = -100, 0x8000
"""linux/fcntl.h"""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 23, 24, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
"""linux/prctl.h"""

IN_MODIFY, IN_MOVED_TO, IN_CREATE = 0x2, 0x80, 0x100
IN_Q_OVERFLOW, IN_IGNORED = 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_ISDIR = 0x1000000, 0x2000000, 0x40000000
"""linux/inotify.h"""

CAPABILITY_VERSION_3 = 0x20080522
"""linux/capability.h"""

FINIT_MODULE = 313
"""asm/unistd_64.h"""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; NEWPID only its children."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace (NEWPID: only its children)."""
    _check(_libc.setns(descriptor, kind), f"setns {kind:#x}")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2) in the calling thread's mount namespace."""
    names = (os.fsencode(name) for name in (source, target, kind))
    done = _libc.mount(*names, ctypes.c_ulong(flags), os.fsencode(options))
    _check(done, f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """umount2(2), lazily: open files of the mount stay usable."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def bind(source: str, target: str) -> None:
    """Also mount `source`, a file or a directory, at `target`."""
    mount(source, target, "", MS_BIND)


def make_read_only(target: str, *, below: bool = False) -> None:
    """mount_setattr(2) of the mount at `target`, in this mount namespace; `below`: and of all
    mounts below it."""
    _set_attributes(target, (MOUNT_ATTR_RDONLY, 0), AT_RECURSIVE if below else 0)


def follow_links(target: str) -> None:
    """Remove MS_NOSYMFOLLOW from the mount at `target`, in this mount namespace."""
    _set_attributes(target, (0, MOUNT_ATTR_NOSYMFOLLOW), 0)


def _set_attributes(target: str, set_and_clear: tuple[int, int], flags: int) -> None:
    attributes = struct.pack("=4Q", *set_and_clear, 0, 0)
    arguments = (AT_FDCWD, os.fsencode(target), flags, attributes, ctypes.c_size_t(len(attributes)))
    _check(_libc.mount_setattr(*arguments), f"mount_setattr {target}")


def bind_read_only(source: str, target: str) -> None:
    """Also mount `source`, with everything mounted below it, read-only at `target`."""
    mount(source, target, "", MS_BIND | MS_REC)
    make_read_only(target, below=True)


def become_root_directory(directory: str) -> None:
    """pivot_root(2): from now on nothing else can be seen in the calling thread's mount namespace.

    `directory` is a mount; the former root is unmounted with everything below it.
    """
    os.chdir(directory)
    _check(_libc.pivot_root(b".", b"."), f"pivot_root {directory}")
    unmount(".")
    os.chdir("/")


def bounds(capability: int) -> bool:
    """Whether programs that the calling thread starts may have this capability."""
    with suppress(OSError):  # the kernel does not know it
        return prctl(PR_CAPBSET_READ, capability) == 1
    return False


def give_up(capability: int) -> None:
    """No program that the calling thread starts will have this capability; it keeps its own."""
    prctl(PR_CAPBSET_DROP, capability)


def clear_capabilities() -> None:
    """capset(2): drop all capabilities of the calling thread."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")


def prctl(option: int, argument: int, pointer: Any = None) -> int:
    """prctl(2) with its other arguments zero; its result."""
    zero = ctypes.c_ulong(0)
    result: int = _libc.prctl(option, ctypes.c_ulong(argument), pointer or zero, zero, zero)
    _check(min(result, 0), f"prctl {option}")
    return result


def set_host_name(name: str) -> None:
    """The host name of the calling thread's UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), f"sethostname {name}")


def die_with_parent(number: int) -> None:
    """Send the calling process this signal when its parent ends. The kernel forgets it when
    credentials change.
    """
    prctl(PR_SET_PDEATHSIG, number)


def inotify() -> int:
    """inotify_init1(2): a non-blocking descriptor."""
    descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    _check(min(descriptor, 0), "inotify_init1")
    return descriptor


def watch(inotify: int, path: str, events: int) -> int:
    """inotify_add_watch(2): the number of the watch."""
    number: int = _libc.inotify_add_watch(inotify, os.fsencode(path), ctypes.c_uint32(events))
    _check(min(number, 0), f"watch {path}")
    return number


def load_module(path: str) -> None:
    """finit_module(2), which the C library does not wrap; the number is that of x86-64."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.syscall(FINIT_MODULE, descriptor, b"", 0), f"load {path}")
    finally:
        os.close(descriptor)
