"""Block the signals that end a verb until their handlers are set, so that an interruption while
Python starts ends in one line, not in a traceback."""

from __future__ import annotations

import signal

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OF_THE_CALLER = (*HELD, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
"""Ignored for a reason: nohup(1), a shell's `&`."""
_PYTHONS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, and restores them for the programs that it starts."""


def hold() -> None:
    """Block the signals, also in the next program of this process (execve(2) keeps the mask)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def let_go() -> None:
    """Unblock the signals; pending ones are delivered now.

    What else the caller has blocked or ignores gets its default: where SIGCHLD is ignored, no
    program's exit code can be read.
    """
    for number in signal.valid_signals() - {*_OF_THE_CALLER, *_PYTHONS}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
