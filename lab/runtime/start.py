"""Start a lab: lock, leash, control socket, PID 1 of a new PID namespace, supervisor.

The lab is one process tree. It lives as long as its PID 1, and that as long as its supervisor
and, until `Handle.release`, as long as who started it: the leash is a pipe whose other end only
the starter holds, so that its death, by whatever cause, is an end of file in PID 1.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from gateway.common import calls
from lab.boot import own
from lab.errors import LabError
from lab.failure import raised, told
from lab.kernel import neighbour_table
from lab.runtime.directory import RunDirectory, forget_old
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body
from lab.runtime.supervisor import READY, Beginning, supervise

MakeBody = Callable[[Path], Body]
"""Called in the supervisor with the directory for logs."""
MOST_FILES = 16384
"""Open files: the supervisor has some four a node, and programs size tables by this limit."""
LAB_FILES = "/run/lab"
"""The lab's private tmpfs."""


@dataclass(frozen=True)
class _Ends:
    """The descriptors that the lab keeps of its starter's."""

    listener: socket.socket
    lock: int
    ready: int
    leash: int

    @property
    def numbers(self) -> set[int]:
        return {self.listener.fileno(), self.lock, self.ready, self.leash}


def start(name: str, make_body: MakeBody) -> Handle:
    """Start a lab; it then builds itself, which `Handle.watch` tells of.

    The lab dies with the calling process unless released: `verify` never releases it, `up` when
    it is ready. UsageError if it runs already, MachineError if the machine cannot run it.
    """
    began = Beginning(time.monotonic(), neighbour_table.refused())
    directory = RunDirectory(name)
    lock = directory.take()
    forget_old()
    listener = directory.bind()
    (ready, tell), (leash, hold) = os.pipe(), os.pipe()
    ends = _Ends(listener, lock, tell, leash)
    middle = os.fork()
    if middle == 0:
        _never_return(lambda: _become_lab(directory, ends, make_body, began), tell)
    for descriptor in (lock, tell, leash):
        os.close(descriptor)
    listener.close()
    try:
        os.waitpid(middle, 0)
        with os.fdopen(ready) as pipe:
            said = pipe.readline()
            if said != READY:
                pipe.read()  # until PID 1 has let go of it, and of the lock
    except BaseException:
        os.close(hold)  # and what there is of the lab ends
        raise
    if said != READY:
        os.close(hold)
        raise _failure(said, directory)
    return Handle(directory, leash=hold)


def _failure(said: str, directory: RunDirectory) -> LabError:
    if said:
        return raised(json.loads(said))
    where = directory.outside / "log" / "supervisor.log"
    return LabError(f"lab {directory.name} died while starting", f"look into {where}")


def _never_return(work: Callable[[], None], tell: int) -> NoReturn:
    """In a forked child: whatever happens, do not go on in the caller's stack."""
    code = 0
    try:
        work()
    except BaseException as error:  # noqa: BLE001 (it must not reach the parent's code)
        with suppress(OSError):  # nobody may be left to hear it, and the log's disk may be full
            os.write(tell, f"{json.dumps(told(error))}\n".encode())
            if not isinstance(error, OSError | LabError | KeyboardInterrupt):
                traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


def _become_lab(
    directory: RunDirectory, ends: _Ends, make_body: MakeBody, began: Beginning
) -> None:
    """The process in the middle, which only makes the PID namespace; then PID 1."""
    calls.unshare(calls.NEWPID)
    if os.fork():
        os._exit(0)
    _detach(directory.logs, ends.numbers)
    prepare_ground()
    ends.listener.listen(64)  # here: a client's SO_PEERCRED then is PID 1
    supervisor = os.fork()
    if supervisor == 0:
        os.close(ends.leash)
        _never_return(lambda: _supervise(directory, ends, make_body, began), ends.ready)
    ends.listener.close()
    _reap(supervisor, ends.leash)


def _detach(logs: Path, kept: set[int]) -> None:
    """Let go of all that belongs to the starter: session, files, signal handlers, limits."""
    gc.freeze()  # the starter's objects must not close descriptors that are ours now
    gc.enable()
    os.setsid()
    os.umask(0o022)
    os.chdir("/")
    log = own.open_file(str(logs / "supervisor.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, log, log)):
        os.dup2(source, number)
    edges = [2, *sorted(kept), resource.getrlimit(resource.RLIMIT_NOFILE)[1]]
    for low, high in pairwise(edges):
        os.closerange(low + 1, high)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core handler would run in the machine
    allow_files()


def allow_files() -> None:
    """Let this process have so many open as it may be given, but no more than MOST_FILES."""
    most = min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def prepare_ground() -> None:
    """Namespaces of the lab as a whole: nothing mounted or configured from here on leaks out."""
    calls.unshare(calls.NEWNS | calls.NEWNET | calls.NEWIPC)
    calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    quiet = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("proc", "/proc", "proc", quiet)
    for name in ("hosts", "hostname", "resolv.conf"):
        if not Path("/etc", name).exists():  # nodes bind their own over them
            Path("/etc", name).touch()
    Path(LAB_FILES).mkdir(exist_ok=True)
    # Nodes' files are in there, and what a node has made a link to is theirs, not the machine's:
    # the supervisor goes through none.
    flags = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOSYMFOLLOW
    calls.mount("lab", LAB_FILES, "tmpfs", flags, "mode=0700")


def _supervise(directory: RunDirectory, ends: _Ends, make_body: MakeBody, began: Beginning) -> None:
    supervise(directory, ends.listener, make_body, ready=ends.ready, began=began)


def _reap(supervisor: int, leash: int) -> NoReturn:
    """Be PID 1: collect orphans; end with the supervisor, or when the leash is let go of.

    The kernel then kills everything in the lab. A byte on the leash releases it.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(leash, select.POLLIN)
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == supervisor:
            os._exit(os.waitstatus_to_exitcode(status) & 255)
        if pid:
            continue
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, 4096)
        if leash in ready:
            if not os.read(leash, 1):
                os._exit(1)
            poll.unregister(leash)
