"""Run a program in a node as if locally: terminal, job control, signals, exit code, pipes.

The lab provides descriptors of the node's namespaces. This process joins only the PID namespace,
which affects its children; a single-threaded child joins the others and execs the program. The
program has the caller's terminal, and this process represents it to the caller's shell: it stops,
continues and dies with the program.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from nsenter import Namespace

from gateway.common import calls
from lab.errors import MachineError
from lab.kernel import capabilities
from lab.nodes.base import Entrance
from lab.nodes.environment import environment
from lab.runtime.endings import CANNOT_RUN, IGNORED_BY_PYTHON, NOT_FOUND, die_of
from lab.runtime.enter_agent import enter_agent

KINDS = ("net", "mnt", "uts", "pid", "ipc")
"""The order of the descriptors of Handle.enter."""
JOINED = ("net", "uts", "ipc", "mnt")
"""The namespaces that the child joins, in this order: the last one changes /proc."""
NODES_FIRST = 1
"""The node's first process, whose capability limits apply to every program in the node."""
FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


def enter(way: Entrance, argv: Sequence[str]) -> int:
    """Run `argv` in a node; its exit code, or die of the same signal."""
    if way.kind == "agent":
        return enter_agent(way.descriptors[0], argv)
    namespaces = dict(zip(KINDS, way.descriptors, strict=True))
    try:
        calls.setns(namespaces["pid"], calls.NEWPID)
    except PermissionError as error:
        raise MachineError(
            f"cannot enter the lab: {error.strerror}", "enter it as the user who started it"
        ) from None
    watched, held = os.pipe()
    for number in FROM_THE_TERMINAL:  # the child gets them too and decides
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.close(held)
        _become(namespaces, argv, watched)
    os.close(watched)
    return _represent(child)


def _become(namespaces: dict[str, int], argv: Sequence[str], parent: int) -> NoReturn:
    code = CANNOT_RUN
    try:
        for number in (*FROM_THE_TERMINAL, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        calls.die_with_parent(signal.SIGKILL)
        if select.select([parent], [], [], 0)[0]:
            os._exit(code)  # the parent died before die_with_parent
        for kind in JOINED:
            # Never exited: exec, or the end of this process, closes the old namespace.
            Namespace(f"/proc/self/fd/{namespaces[kind]}", kind).__enter__()
        capabilities.limit_as(NODES_FIRST)
        os.chdir("/")
        # The launcher's descriptor of the private root would give access to its files.
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        os.execvpe(argv[0], list(argv), environment())  # noqa: S606 (no shell is wanted)
    except FileNotFoundError:
        code = NOT_FOUND
        sys.stderr.write(f"p2slab: {argv[0]}: not found in the node\n")
    except OSError as error:
        sys.stderr.write(f"p2slab: {argv[0]}: {error.strerror or error}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _represent(child: int) -> int:
    """Stop, continue, forward signals and die with the child; its exit code."""
    held = os.pidfd_open(child)

    def pass_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it may just have been reaped
            signal.pidfd_send_signal(held, number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            _stop_with(child)
        elif os.WIFSIGNALED(status):
            return die_of(os.WTERMSIG(status))
        else:
            return os.waitstatus_to_exitcode(status)


def _stop_with(child: int) -> None:
    """Stop until the caller's shell continues us; continue the child too if only we were."""
    again = True
    while again:
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            news = os.waitid(os.P_PID, child, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
        except ChildProcessError:  # it has ended meanwhile; waitpid reports it
            return
        if news is None:
            os.kill(child, signal.SIGCONT)
        again = news is not None and news.si_code == os.CLD_STOPPED  # stopped again already
