"""The supervisor's programs: started elsewhere, signalled by pidfd, killed by session."""

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
"""States of processes that only wait to be reaped (proc(5))."""
PF_EXITING = 0x4
"""A process flag of the kernel (linux/sched.h)."""
NS_GET_PARENT = 0xB702
"""ioctl_ns(2)."""


class Program:
    """A started program (lab.nodes.base.Process); the running event loop reaps it."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = popen.pid
        self.log = log
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._descriptor = os.pidfd_open(self.pid)
        self._loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._ended.set_result(self._popen.wait())

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    async def wait(self) -> int:
        """Wait for its end; its exit code."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `limit` seconds; the rest of its session is killed too."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with patience(limit):
                await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to its session, until all its processes are gone; its exit code."""

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
    """The processes that fit; a process that ends during the check does not."""
    found = []
    for pid in processes():
        with suppress(OSError):
            if fits(pid):
                found.append(pid)
    return found


def in_session(session: int) -> list[int]:
    """The live processes of a session, including its leader."""
    return chosen(lambda pid: _stat(pid)[3] == session and _stat(pid)[0] not in DEAD)


def children(parent: int) -> list[int]:
    """The child processes of a process."""
    return chosen(lambda pid: _stat(pid)[1] == parent)


def in_namespaces(identities: set[tuple[int, int]]) -> list[int]:
    """The processes whose network or mount namespace (st_dev, st_ino) is among these."""
    return chosen(
        lambda pid: any(identity(f"/proc/{pid}/ns/{kind}") in identities for kind in ("net", "mnt"))
    )


def identity(path: str) -> tuple[int, int]:
    """The identity of a namespace (namespaces(7)): st_dev, st_ino."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def is_over(first: int) -> bool:
    """Whether no live process is left in the PID namespace with this PID 1, or in nested ones.

    The kernel keeps a PID 1 until every process of its namespace has been reaped. If a process's
    parent was outside and has died, the host's PID 1 has to reap it, which in a container may never
    happen. OSError if `first` has ended or may not be inspected.
    """
    namespace = identity(f"/proc/{first}/ns/pid")
    return _is_exiting(first) and not chosen(
        lambda pid: not _is_exiting(pid) and _is_within(pid, namespace)
    )


def _is_exiting(pid: int) -> bool:
    """Whether it is dead, or is exiting and only waits for other processes."""
    state, *_, flags = _stat(pid)
    return state in DEAD or bool(flags & PF_EXITING)


def _is_within(pid: int, namespace: tuple[int, int]) -> bool:
    """Whether the process's PID namespace is this one, or nested in it."""
    descriptor = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    while identity(f"/proc/self/fd/{descriptor}") != namespace:
        try:
            parent = fcntl.ioctl(descriptor, NS_GET_PARENT)
        except PermissionError:  # the parent namespace is not visible from here
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
    """SIGKILL to each process; those that have ended are skipped."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
