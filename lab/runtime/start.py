"""Start a lab: lock, lifeline, control socket, PID 1 of a new PID namespace, supervisor.

The lab is one process tree. It lives as long as its PID 1. PID 1 ends with the supervisor and,
until `Handle.release`, with the starting process: the lifeline is a pipe whose other end only the
starter has, so that PID 1 reads an end of file when the starter dies for any reason.
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
from lab.failure import error_report, exception_of
from lab.kernel import neighbour_table
from lab.runtime.directory import RunDirectory, forget_old
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body
from lab.runtime.supervisor import READY, StartState, supervise
from radius.log_stream import LogStream

MakeBody = Callable[[Path], Body]
"""Called in the supervisor with the directory for logs."""
MOST_FILES = 16384
"""Open files: the supervisor needs about four per node; programs size tables by this limit."""
LAB_FILES = "/run/lab"
"""The lab's private tmpfs."""


@dataclass(frozen=True)
class _Inherited:
    """The starter's descriptors that the lab keeps."""

    listener: socket.socket
    lock: int
    ready: int
    lifeline: int

    @property
    def numbers(self) -> set[int]:
        return {self.listener.fileno(), self.lock, self.ready, self.lifeline}


def start(name: str, make_body: MakeBody) -> Handle:
    """Start a lab; it then builds itself, and `Handle.watch` reports the progress.

    The lab dies with the calling process unless released: `verify` never releases it, `up` does
    when it is ready. UsageError if it already runs, MachineError if the machine cannot run it.
    """
    began = StartState(time.monotonic(), neighbour_table.refused())
    directory = RunDirectory(name)
    lock = directory.take()
    directory.forget_logs()
    forget_old()
    listener = directory.bind()
    (ready, report), (lifeline, hold) = os.pipe(), os.pipe()
    ends = _Inherited(listener, lock, report, lifeline)
    middle = os.fork()
    if middle == 0:
        _never_return(lambda: _become_lab(directory, ends, make_body, began), report)
    for descriptor in (lock, report, lifeline):
        os.close(descriptor)
    listener.close()
    try:
        os.waitpid(middle, 0)
        with os.fdopen(ready) as pipe:
            line = pipe.readline()
            if line != READY:
                pipe.read()  # until PID 1 has closed the pipe and released the lock
    except BaseException:
        os.close(hold)  # ends all processes of the lab
        raise
    if line != READY:
        os.close(hold)
        raise _failure(line, directory)
    return Handle(directory, lifeline=hold)


def _failure(line: str, directory: RunDirectory) -> LabError:
    if line:
        return exception_of(json.loads(line))
    where = directory.outside / "log" / "supervisor.log"
    return LabError(f"lab {directory.name} died while starting", f"see {where}")


def _never_return(work: Callable[[], None], report: int) -> NoReturn:
    """Call `work` in a forked child, report an exception, and end the process in any case."""
    code = 0
    try:
        work()
    except BaseException as error:  # noqa: BLE001 (it must not reach the parent's code)
        with suppress(OSError):  # the starter may be gone, and the log's disk full
            os.write(report, f"{json.dumps(error_report(error))}\n".encode())
            if not isinstance(error, OSError | LabError | KeyboardInterrupt):
                traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


def _become_lab(
    directory: RunDirectory, ends: _Inherited, make_body: MakeBody, began: StartState
) -> None:
    """The intermediate process, which only creates the PID namespace; then PID 1."""
    calls.unshare(calls.NEWPID)
    if os.fork():
        os._exit(0)
    _detach(directory.logs, ends.numbers)
    isolate_lab()
    ends.listener.listen(64)  # here: a client's SO_PEERCRED then is PID 1
    supervisor = os.fork()
    if supervisor == 0:
        os.close(ends.lifeline)
        _never_return(lambda: _supervise(directory, ends, make_body, began), ends.ready)
    ends.listener.close()
    _reap(supervisor, ends.lifeline)


def _detach(logs: Path, kept: set[int]) -> None:
    """Release everything of the starter: session, files, signal handlers, limits."""
    gc.freeze()  # finalizers of the starter's objects must not close our descriptors
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
    sys.stdout = sys.stderr = LogStream(2)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core handler would run on the host
    allow_files()


def allow_files() -> None:
    """Raise the limit of open files as far as allowed, but not above MOST_FILES."""
    most = min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def isolate_lab() -> None:
    """Create the lab's own namespaces: mounts and network settings no longer affect the host."""
    calls.unshare(calls.NEWNS | calls.NEWNET | calls.NEWIPC)
    calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    quiet = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("proc", "/proc", "proc", quiet)
    for name in ("hosts", "hostname", "resolv.conf"):
        if not Path("/etc", name).exists():  # nodes bind-mount their own files here
            Path("/etc", name).touch()
    Path(LAB_FILES).mkdir(exist_ok=True)
    # A node may create symbolic links in its files, also to the host's; the supervisor must not
    # follow them.
    flags = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOSYMFOLLOW
    calls.mount("lab", LAB_FILES, "tmpfs", flags, "mode=0700")


def _supervise(
    directory: RunDirectory, ends: _Inherited, make_body: MakeBody, began: StartState
) -> None:
    supervise(directory, ends.listener, make_body, ready=ends.ready, began=began)


def _reap(supervisor: int, lifeline: int) -> NoReturn:
    """Be PID 1: reap orphans; end with the supervisor, or when the lifeline is closed.

    The kernel then kills everything in the lab. A byte on the lifeline releases it.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(lifeline, select.POLLIN)
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == supervisor:
            os._exit(os.waitstatus_to_exitcode(status) & 255)
        if pid:
            continue
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, 4096)
        if lifeline in ready:
            if not os.read(lifeline, 1):
                os._exit(1)
            poll.unregister(lifeline)
