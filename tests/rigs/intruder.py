"""A program in a node, as root, that attacks the machine: one line of JSON per attempt.

    python -m tests.rigs.intruder CACHE CHECKOUT

The attempt, what it got (null: it was refused) and the system's words. An attempt that succeeds
changes nothing: settings are written as they are.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
OPEN_BY_HANDLE = 304
"""asm/unistd_64.h"""
ADJ_TICK = 0x4000
MS_BIND, MS_REMOUNT = 4096, 32
NULL = os.makedev(1, 3)


class NothingFoundError(OSError):
    """There was nothing to attack."""


def checked(result: int) -> int:
    """Raise the C library's error as OSError."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def some(found: list[str]) -> list[str]:
    """NothingFoundError if there is none."""
    if not found:
        raise NothingFoundError(0, "nothing found")
    return found


def names(directory: str, expected: set[str]) -> list[str]:
    """The other names."""
    return some(sorted({path.name for path in Path(directory).iterdir()} - expected))


def mount(source: str, target: str, kind: str, flags: int = 0) -> str:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags))
    checked(_libc.mount(*arguments, None))
    return target


def create(directory: str) -> str:
    """A file that is removed at once."""
    path = Path(directory, f".intruder-{os.getpid()}")
    path.touch()
    path.unlink()
    return str(path)


def rewrite(path: str) -> str:
    """Write a setting's own value."""
    text = Path(path).read_text()
    Path(path).write_text(text)
    return text


def opened(path: str, flags: int) -> str:
    """Open a file that is not /dev/null."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    return "opened" if os.fstat(descriptor).st_rdev != NULL else some([])[0]


def numbers() -> list[int]:
    """The ids of the visible processes."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def foreign_processes() -> list[str]:
    """The visible processes that sleep: this node runs none."""
    words = [Path(f"/proc/{number}/cmdline").read_text() for number in numbers()]
    return some([line for line in words if line.startswith("sleep\0")])


def through_processes(path: str) -> str:
    """By the root and working directories and the open directories of every process."""
    for number in numbers():
        ways = [Path(f"/proc/{number}/root"), Path(f"/proc/{number}/cwd")]
        with suppress(OSError):
            ways += Path(f"/proc/{number}/fd").iterdir()
        for way in ways:
            with suppress(OSError):
                if way.is_dir() and Path(f"{way}/{'../' * 16}{path}").exists():
                    return str(way)
    return some([])[0]


def by_handle() -> list[str]:
    """The root of the file system on which /usr lies: inode 2, generation 0 (ext4)."""
    handle = b"".join(number.to_bytes(4, "little") for number in (8, 1, 2, 0))
    place = os.open("/usr", os.O_RDONLY)
    return os.listdir(checked(_libc.syscall(OPEN_BY_HANDLE, place, handle, os.O_RDONLY)))


def make_device() -> str:
    """A second /dev/null, which any device could be."""
    os.mknod("/tmp/device", stat.S_IFCHR | 0o600, NULL)
    return "/tmp/device"


def set_clock() -> str:
    """Set the clock's tick to its own value (adjtimex(2); timex: modes first, tick 12th word)."""
    clock = (ctypes.c_long * 26)()
    checked(_libc.adjtimex(clock))
    clock[0] = ADJ_TICK
    checked(_libc.adjtimex(clock))
    return "set"


def control_sockets() -> str:
    """The labs' control sockets."""
    path = some([str(path) for path in Path("/run").rglob("control")])[0]
    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(path)
    return path


def attempts(cache: str, checkout: str) -> dict[str, Callable[[], object]]:
    """All attempts, by their names in docs/lab-security.md."""
    key = f"{cache}/keys/rsa4096-000.pem"
    read, write = os.O_RDONLY, os.O_WRONLY
    return {
        "see processes of others": foreign_processes,
        "read a key of the cache": lambda: Path(key).read_text()[:10],
        "read it through a process": lambda: through_processes(key),
        "list the cache": lambda: names(cache, {"native", "bytecode"}),
        "write into the checkout": lambda: create(checkout),
        "write into the cache": lambda: create(f"{cache}/native"),
        "write into /usr": lambda: create("/usr/bin"),
        "write core_pattern": lambda: rewrite("/proc/sys/kernel/core_pattern"),
        "write a setting of memory": lambda: rewrite("/proc/sys/vm/swappiness"),
        "write a setting of files": lambda: rewrite("/proc/sys/fs/suid_dumpable"),
        "write sysrq-trigger": lambda: opened("/proc/sysrq-trigger", write),
        "write into /sys": lambda: opened("/sys/kernel/mm/transparent_hugepage/enabled", write),
        "read the kernel's memory": lambda: opened("/proc/kcore", read),
        "read the kernel's log": lambda: opened("/dev/kmsg", read),
        "see the machine's disks": lambda: some(
            [str(path) for path in Path("/dev").rglob("*") if path.is_block_device()]
        ),
        "make a device": make_device,
        "open a file by its handle": by_handle,
        "set the clock": set_clock,
        "reach a lab's control socket": control_sockets,
        "reach the machine's terminals": lambda: names("/dev/pts", {"ptmx"}),
        "mount": lambda: mount("tmpfs", "/mnt", "tmpfs"),
        "make /usr writable": lambda: (
            mount("none", "/usr", "", MS_REMOUNT | MS_BIND),
            create("/usr/bin"),
        ),
        "make the checkout writable": lambda: (
            mount("none", checkout, "", MS_REMOUNT | MS_BIND),
            create(checkout),
        ),
        "mount the machine's devices": lambda: mount("devtmpfs", "/mnt", "devtmpfs"),
    }


def main(cache: str, checkout: str) -> None:
    """Try everything."""
    for name, attempt in attempts(cache, checkout).items():
        try:
            got = str(attempt())[:200]
        except OSError as error:
            print(json.dumps([name, None, error.strerror]), flush=True)
        else:
            print(json.dumps([name, got, ""]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
