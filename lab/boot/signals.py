"""The signals that end a verb wait until there is somebody who takes them: no traceback of Python's
start, one line instead."""

from __future__ import annotations

import signal

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hold() -> None:
    """They wait, in the next program of this process too (execve(2) keeps the mask)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def let_go() -> None:
    """They come, also those that have come meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
