"""Block the signals that end a verb until their handlers are set, so that an interruption while
Python starts ends in one line, not in a traceback."""

from __future__ import annotations

import signal

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hold() -> None:
    """Block the signals, also in the next program of this process (execve(2) keeps the mask)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def let_go() -> None:
    """Unblock the signals; pending ones are delivered now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
