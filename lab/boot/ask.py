"""A verb that finds out inside the private root that it needs layers that are not there.

The launcher starts it in a child, with a pipe. Before it builds anything the verb writes the names
into the pipe and ends; the launcher makes the layers and starts it again. Where every layer is
there, there is no child and no pipe.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, NamedTuple, NoReturn

from lab.boot.source import PROGRAM
from lab.boot.syscalls import die_with_parent
from lab.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable

LAYERS = "P2SLAB_LAYERS"
"""In the environment: those that are there, with spaces between."""
PIPE = "P2SLAB_ASK"
"""In the environment: the descriptor to write to, for a verb that may ask."""
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)
_LEFT_TO_THE_CHILD = (signal.SIGINT, signal.SIGQUIT)
"""A terminal sends these to both."""
_LONGEST = 4096


class Ended(NamedTuple):
    """How the child has ended: its exit code, and the layers it has asked for."""

    code: int
    lacking: frozenset[str]


def run(enter: Callable[[], NoReturn]) -> Ended:
    """Call `enter`, which becomes the verb, in a child, and wait for its end. A signal that ends
    the child ends this process, too."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    launcher = os.getpid()
    before = {n: signal.getsignal(n) for n in (*_LEFT_TO_THE_CHILD, *_FORWARDED)}
    for number in _LEFT_TO_THE_CHILD:
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.environ[PIPE] = str(writing)
        _become(launcher, enter)
    os.close(writing)
    held = os.pidfd_open(child)  # its number may be another's once it was collected
    for number in _FORWARDED:
        signal.signal(number, lambda got, _frame: _pass_on(held, got))
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read(_LONGEST).decode()
    _, status = os.waitpid(child, 0)
    for number, handler in before.items():
        signal.signal(number, handler)
    os.close(held)
    if os.WIFSIGNALED(status):
        killed_by = signal.Signals(os.WTERMSIG(status))
        signal.signal(killed_by, signal.SIG_DFL)
        os.kill(os.getpid(), killed_by)
    return Ended(os.WEXITSTATUS(status), frozenset(said.split()))


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        signal.pidfd_send_signal(child, number)


def require(layers: Iterable[str]) -> None:
    """Inside the private root, before anything is built: end this process, to be started again, if
    one of these layers is not there. MachineError where nobody can make it."""
    lacking = sorted(set(layers) - set(os.environ[LAYERS].split()))
    pipe = int(os.environ.pop(PIPE, -1))
    names = " ".join(lacking)
    if not lacking:
        if pipe >= 0:
            os.close(pipe)  # the launcher waits for its end, and a lab outlives this process
        return
    if pipe < 0:
        raise MachineError(
            f"the private root lacks the layers {names}", f"{PROGRAM} root make {names}"
        )
    os.write(pipe, names.encode())
    sys.exit(0)


def _become(launcher: int, enter: Callable[[], NoReturn]) -> NoReturn:
    die_with_parent(signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)
    enter()
