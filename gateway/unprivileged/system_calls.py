"""A seccomp filter that allows only the system calls of an event loop on open descriptors.

A BPF program as in linux/filter.h. All other system calls fail with EPERM, so that a library's
attempt at one is an ordinary error and does not end every client's connection.
Numbers: asm/unistd_64.h and asm-generic/unistd.h, linux/audit.h, linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.common import calls

if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""By `uname -m`: the column of numbers below, and AUDIT_ARCH."""

_PROT_EXEC = 0x4
_FIONBIO, _FIOCLEX, _FIONCLEX = 0x5421, 0x5451, 0x5450
_MSG_FASTOPEN = 0x20000000
_IPPROTO_TCP, _TCP_NODELAY, _TCP_NOTSENT_LOWAT = 6, 1, 25


_LOAD, _RETURN = 0x20, 0x06
_JEQ, _JSET = 0x15, 0x45
_ALLOW, _KILL_PROCESS, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data."""
_INSTRUCTION = struct.Struct("=HBBI")
_SECCOMP_MODE_FILTER = 2

Code = list[tuple[int, int, int, int]]
"""Operation, instructions to skip if true and if false, operand."""


@dataclass(frozen=True)
class OneOf:
    """The argument is one of these numbers."""

    argument: int
    values: tuple[int, ...]

    def code(self) -> Code:
        """Instructions that continue after their end, or return EPERM."""
        left = range(len(self.values), 0, -1)
        tests = [(_JEQ, n, 0, value) for n, value in zip(left, self.values, strict=True)]
        return [_argument(self.argument), *tests, (_RETURN, 0, 0, _EPERM)]


@dataclass(frozen=True)
class Without:
    """The argument has none of these bits."""

    argument: int
    bits: int

    def code(self) -> Code:
        """As above."""
        return [_argument(self.argument), (_JSET, 0, 1, self.bits), (_RETURN, 0, 0, _EPERM)]


def _argument(number: int) -> tuple[int, int, int, int]:
    """Load an argument's lower half (little-endian); the kernel ignores the rest of these."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * number)


NO_CODE = (Without(2, _PROT_EXEC),)
CHECKED: dict[str, tuple[tuple[int, int], Sequence[OneOf | Without]]] = {
    "mmap": ((9, 222), NO_CODE),
    "mprotect": ((10, 226), NO_CODE),
    "ioctl": ((16, 29), (OneOf(1, (_FIONBIO, _FIOCLEX, _FIONCLEX)),)),
    # MSG_FASTOPEN connects: a shut-down listener could be used to reach the network.
    "sendto": ((44, 206), (Without(3, _MSG_FASTOPEN),)),
    "sendmsg": ((46, 211), (Without(2, _MSG_FASTOPEN),)),
    "setsockopt": (
        (54, 208),
        (OneOf(1, (_IPPROTO_TCP,)), OneOf(2, (_TCP_NODELAY, _TCP_NOTSENT_LOWAT))),
    ),
}
"""Numbers on x86_64 and aarch64, and conditions on the arguments."""

FREE: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "fcntl": (72, 25),
    "accept": (43, 202),
    "accept4": (288, 242),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "shutdown": (48, 210),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "getsockopt": (55, 209),
    "poll": (7, None),
    "ppoll": (271, 73),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_ctl": (233, 21),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sysinfo": (99, 179),
    "getrusage": (98, 165),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "futex": (202, 98),
    "gettimeofday": (96, 169),
    "clock_gettime": (228, 113),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def allow_only() -> str:
    """Install the filter for this thread, for good; no_new_privs must be set. Returns why that
    failed, or ""."""
    machine = os.uname().machine
    if machine not in MACHINES:
        return f"all system calls: their numbers on {machine} are not known here"
    code = program(machine)
    whole = _Program(len(code) // _INSTRUCTION.size, code)
    try:
        calls.prctl(calls.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(whole))
    except OSError as error:
        return f"all system calls: seccomp: {error.strerror}"
    return ""


def program(machine: str) -> bytes:
    """The filter for one of MACHINES."""
    column, architecture = MACHINES[machine]
    code: Code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JEQ, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for numbers, checks in CHECKED.values():
        block = [step for check in checks for step in check.code()]
        code += [(_JEQ, 0, len(block) + 1, numbers[column]), *block, (_RETURN, 0, 0, _ALLOW)]
    free = [number for row in FREE.values() if (number := row[column]) is not None]
    for left, number in zip(range(len(free), 0, -1), free, strict=True):
        code.append((_JEQ, left, 0, number))
    code += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(_INSTRUCTION.pack(*row) for row in code)
