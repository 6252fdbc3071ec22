"""Run a program in a node, as if it were here: terminal, job control, signals, exit code, pipes.

The descriptors of the node's namespaces come from the lab. This process joins only the PID
namespace, and that for its children; a child, which has one thread, joins the rest and becomes
the program. So the program's terminal is the caller's, and this process stands for it before
the caller's shell: it stops, goes on and dies as the program does.
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
"""By the child, in this order: the view of /proc changes with the last."""
NODES_FIRST = 1
"""The process in the node's PID namespace whose limits are those of every program there."""
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
    for number in FROM_THE_TERMINAL:  # the child gets them as well, and it is its to decide
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.close(held)
        _become(namespaces, argv, watched)
    os.close(watched)
    return _stand_for(child)


def _become(namespaces: dict[str, int], argv: Sequence[str], parent: int) -> NoReturn:
    code = CANNOT_RUN
    try:
        for number in (*FROM_THE_TERMINAL, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        calls.die_with_parent(signal.SIGKILL)
        if select.select([parent], [], [], 0)[0]:
            os._exit(code)  # it died before we could ask to be told
        for kind in JOINED:
            # nsenter's way back is never taken: exec, or the end of this process, closes it.
            Namespace(f"/proc/self/fd/{namespaces[kind]}", kind).__enter__()
        capabilities.limit_as(NODES_FIRST)
        os.chdir("/")
        # The launcher's hold on the private root is a way to its files, and others may be.
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


def _stand_for(child: int) -> int:
    """Until the child ends; what happens to either happens to both."""
    held = os.pidfd_open(child)

    def pass_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it may just have been collected
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
    """Let the caller's shell take over until it continues us; the child, too, if only us."""
    again = True
    while again:
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            news = os.waitid(os.P_PID, child, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
        except ChildProcessError:  # it has ended meanwhile, which is not asked for here
            return
        if news is None:
            os.kill(child, signal.SIGCONT)
        again = news is not None and news.si_code == os.CLD_STOPPED  # before we had a turn
