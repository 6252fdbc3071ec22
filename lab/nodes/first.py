"""The first process of a node: its PID namespace lasts as long as it does."""

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
"""Until the end of its input. Who ignores SIGCHLD need not collect the orphans that it gets."""


@dataclass(frozen=True)
class First:
    """The node's processes, as its thread holds them."""

    pid: int
    """Of the first one, by the lab's numbers."""
    home: int
    """A descriptor of the lab's PID namespace."""
    namespace: int
    """And of the node's."""
    leash: int
    """The first process lives while this is open."""

    def __enter__(self) -> None:
        """The calling thread's children will be the node's; it must not start threads then."""
        calls.setns(self.namespace, calls.NEWPID)

    def __exit__(self, *_: object) -> None:
        calls.setns(self.home, calls.NEWPID)


def start(proc: Path) -> First:
    """Start it from the node's thread, and let it mount its /proc at `proc`; OSError."""
    home = os.open("/proc/thread-self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    (reading, leash), (hearing, telling) = os.pipe(), os.pipe()
    calls.unshare(calls.NEWPID)
    try:
        pid = os.fork()
        if pid == 0:
            _become_first(proc, reading, telling)
    finally:
        calls.setns(home, calls.NEWPID)
    os.close(reading)
    os.close(telling)
    with os.fdopen(hearing) as pipe:
        said = pipe.read()
    if said:
        os.waitpid(pid, 0)
        raise OSError(0, f"the first process: {said}")
    namespace = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    return First(pid, home, namespace, leash)


def _become_first(proc: Path, reading: int, telling: int) -> NoReturn:
    """In the forked child, which has the node's mounts: nothing may be imported or said here."""
    try:
        gc.disable()
        mount_proc(proc)
        os.setsid()
        os.chdir("/")  # whoever is in the old root is taken along into the new one, and no one else
        nothing = os.open("/dev/null", os.O_WRONLY)
        os.dup2(reading, 0)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execvpe(WAITING[0], WAITING, environment())  # noqa: S606 (a shell is what it is)
    except BaseException as error:  # noqa: BLE001 (the end of a forked process)
        os.write(telling, repr(error).encode())
    finally:
        os._exit(1)
