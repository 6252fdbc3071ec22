"""Programs as the supervisor holds them: started elsewhere, ended by pidfd, killed by session."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from lab.waiting import patience, wait_until

KILL_LIMIT = 10.0
DEAD = (b"Z", b"X")
"""States of who only waits to be collected (proc(5))."""
PF_EXITING = 0x4
"""Of the kernel's flags (linux/sched.h)."""
NS_GET_PARENT = 0xB702
"""ioctl_ns(2)."""


class Program:
    """A started program (lab.nodes.base.Process); the running event loop learns of its end."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = popen.pid
        self.log = log
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._descriptor = os.pidfd_open(self.pid)
        self._loop.add_reader(self._descriptor, self._collect)

    def _collect(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._ended.set_result(self._popen.wait())

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    async def wait(self) -> int:
        """Until it ends; its exit code."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, after `limit` seconds SIGKILL; what it left in its session is killed too."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with patience(limit):
                await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to its session, until nothing of that lives; its exit code."""

        def gone() -> bool:
            left = in_session(self.pid)
            kill(left)
            return not left

        await wait_until(f"the session of process {self.pid} ends", KILL_LIMIT, gone)
        return await self.wait()


def processes() -> Iterator[int]:
    """The process ids of this PID namespace."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def chosen(fits: Callable[[int], bool]) -> list[int]:
    """The processes that fit; one that ends while it is looked at does not."""
    found = []
    for pid in processes():
        with suppress(OSError):
            if fits(pid):
                found.append(pid)
    return found


def in_session(session: int) -> list[int]:
    """The living processes of a session, its leader included."""
    return chosen(lambda pid: _stat(pid)[3] == session and _stat(pid)[0] not in DEAD)


def children(parent: int) -> list[int]:
    """The processes that this one has started."""
    return chosen(lambda pid: _stat(pid)[1] == parent)


def in_namespaces(identities: set[tuple[int, int]]) -> list[int]:
    """The processes whose network or mount namespace (st_dev, st_ino) is among these."""
    return chosen(
        lambda pid: any(identity(f"/proc/{pid}/ns/{kind}") in identities for kind in ("net", "mnt"))
    )


def identity(path: str) -> tuple[int, int]:
    """What tells one namespace from another (namespaces(7))."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def is_over(first: int) -> bool:
    """Whether nothing lives in the PID namespace whose PID 1 this is, or below it.

    The kernel keeps a PID 1 until every process of its namespace has been collected. One whose
    parent was outside, and died, is the machine's PID 1 to collect, which in a container may never
    do so. OSError if `first` is no more or may not be looked at.
    """
    namespace = identity(f"/proc/{first}/ns/pid")
    return _is_exiting(first) and not chosen(
        lambda pid: not _is_exiting(pid) and _is_within(pid, namespace)
    )


def _is_exiting(pid: int) -> bool:
    """Whether it is dead, or dies and only waits for others."""
    state, *_, flags = _stat(pid)
    return state in DEAD or bool(flags & PF_EXITING)


def _is_within(pid: int, namespace: tuple[int, int]) -> bool:
    """Whether the process's PID namespace is this one, or one below."""
    descriptor = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    while identity(f"/proc/self/fd/{descriptor}") != namespace:
        try:
            parent = fcntl.ioctl(descriptor, NS_GET_PARENT)
        except PermissionError:  # above is what cannot be seen from here
            return False
        finally:
            os.close(descriptor)
        descriptor = parent
    os.close(descriptor)
    return True


def _stat(pid: int) -> tuple[bytes, int, int, int, int]:
    """State, parent, process group, session and the kernel's flags (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[6])


def kill(pids: list[int]) -> None:
    """SIGKILL to each; those that have ended are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
