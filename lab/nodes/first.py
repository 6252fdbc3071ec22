"""The first process of a node; its PID namespace lives as long as it does."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from gateway.common import calls
from lab.nodes.environment import environment
from lab.nodes.files import mount_proc

WAITING = ("sh", "-c", 'trap "" CHLD; exec cat')
"""Runs until the end of its input. A process that ignores SIGCHLD need not reap its orphans."""


@dataclass(frozen=True)
class First:
    """A node's first process and PID namespace."""

    pid: int
    """Of the first process, in the lab's PID namespace."""
    home: int
    """A descriptor of the lab's PID namespace."""
    namespace: int
    """A descriptor of the node's PID namespace."""
    lifeline: int
    """The first process lives while this is open."""

    def __enter__(self) -> None:
        """Create children in the node's PID namespace from now on; start no threads meanwhile."""
        calls.setns(self.namespace, calls.NEWPID)

    def __exit__(self, *_: object) -> None:
        calls.setns(self.home, calls.NEWPID)


def start(proc: Path) -> First:
    """Start the first process from the node's thread; it mounts its /proc at `proc`. OSError."""
    home = os.open("/proc/thread-self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    (reading, lifeline), (errors, report) = os.pipe(), os.pipe()
    calls.unshare(calls.NEWPID)
    try:
        pid = os.fork()
        if pid == 0:
            _become_first(proc, reading, report)
    finally:
        calls.setns(home, calls.NEWPID)
    os.close(reading)
    os.close(report)
    with os.fdopen(errors) as pipe:
        error = pipe.read()
    if error:
        os.waitpid(pid, 0)
        raise OSError(0, f"the first process: {error}")
    namespace = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    return First(pid, home, namespace, lifeline)


def _become_first(proc: Path, reading: int, report: int) -> NoReturn:
    """Run in the forked child, which has the node's mounts: import and print nothing here."""
    try:
        gc.disable()
        mount_proc(proc)
        os.setsid()
        os.chdir("/")  # pivot_root moves only processes whose directory is the old root
        nothing = os.open("/dev/null", os.O_WRONLY)
        os.dup2(reading, 0)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execvpe(WAITING[0], WAITING, environment())  # noqa: S606 (a shell is what it is)
    except BaseException as error:  # noqa: BLE001 (the end of a forked process)
        os.write(report, repr(error).encode())
    finally:
        os._exit(1)
