"""System calls that Python 3.11 does not offer, through the C library."""

from __future__ import annotations

import ctypes
import os

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000
"""linux/sched.h, CLONE_NEW*"""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
"""linux/mount.h"""

PR_SET_PDEATHSIG = 1
FINIT_MODULE = 313
"""asm/unistd_64.h"""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; NEWPID only its children."""
    _check(_libc.unshare(flags), f"unshare {flags:#x}")


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace (NEWPID: only its children)."""
    _check(_libc.setns(descriptor, kind), f"setns {kind:#x}")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2) in the calling thread's mount namespace."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags))
    _check(_libc.mount(*arguments, options.encode()), f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """umount2(2), lazily: what was mounted stays for who uses it already."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def bind(source: str, target: str) -> None:
    """Show `source`, a file or a directory, at `target` too."""
    mount(source, target, "", MS_BIND)


def set_host_name(name: str) -> None:
    """The host name of the calling thread's UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), f"sethostname {name}")


def die_with_parent(number: int) -> None:
    """Send the calling process this signal when its parent ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(number)), "prctl PDEATHSIG")


def load_module(path: str) -> None:
    """finit_module(2), which the C library does not wrap; the number is that of x86-64."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.syscall(FINIT_MODULE, descriptor, b"", 0), f"load {path}")
    finally:
        os.close(descriptor)
