"""How `exec` and `shell` end: like the program that they ran, with its exit code or signal."""

from __future__ import annotations

import os
import resource
import signal

IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
CANNOT_RUN, NOT_FOUND = 126, 127
"""Exit codes as a shell's (POSIX, 2.8.2)."""


def die_of(number: int) -> int:
    """End by the signal, so that the caller's shell sees it; an exit code if it does not kill."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
