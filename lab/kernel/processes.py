"""Programs as the supervisor holds them: started elsewhere, ended by pidfd, killed by session."""

from __future__ import annotations

import asyncio
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


def _stat(pid: int) -> tuple[bytes, int, int, int]:
    """State, parent, process group and session (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def kill(pids: list[int]) -> None:
    """SIGKILL to each; those that have ended are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
