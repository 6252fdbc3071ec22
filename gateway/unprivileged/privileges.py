"""Giving up root for good: a process that reads strangers' bytes has no rights to lose."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.common import calls
from gateway.unprivileged import namespaces, system_calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

NOBODY = 65534
_MOST_CAPABILITIES = 64
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NPROC: 0,
    resource.RLIMIT_FSIZE: 64 << 20,
    resource.RLIMIT_AS: 4 << 30,
}
"""Bytes, and processes. Of files only the log is written; 1,024 half-open connections and 128
calls take less than 0.5 GB."""


def confine() -> str:
    """Give up root for good, and everything but what is open: to be called with one thread, after
    the last import, before a stranger's first byte.

    Nothing can be opened, connected, listened on, started or mapped executable afterwards (see
    system_calls for what is left): epoll, sockets and pipes of a loop, and callbacks of C code
    (cffi), are to be made before. Accepting at a listener, TUN and channels go on: they belong to
    the namespace that they were opened in. Importing a module raises ImportError from now on.

    Returns what could not be given up, for people; empty for nothing. OSError, RuntimeError.
    """
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("other threads would keep their rights")
    sys.meta_path.insert(0, _NoImports())
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    kept = [namespaces.empty(), drop()]
    for limit, most in _LIMITS.items():
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (least, least))
    kept.append(system_calls.allow_only())
    return "; ".join(filter(None, kept))


def drop() -> str:
    """Become nobody, without capabilities and without a way back to them.

    Returns what could not be given up: where the user namespace maps no other id, the process
    keeps its own. OSError if the rest does not succeed. What is open stays open; modules that are
    not imported yet may be out of reach afterwards.
    """
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    _drop_bounding_set()
    kept = _become_nobody()
    calls.prctl(calls.PR_CAP_AMBIENT, calls.PR_CAP_AMBIENT_CLEAR_ALL)
    calls.clear_capabilities()
    calls.prctl(calls.PR_SET_DUMPABLE, 0)
    die_with_parent()
    return kept


class _NoImports:
    """A module may be out of reach after root is gone, which depends on where the program lies; so
    an import that comes too late fails everywhere, and in the tests first.
    """

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> None:
        raise ImportError(f"{name} is imported after privileges were dropped")


def die_with_parent() -> None:
    """SIGTERM when the gateway is gone. The kernel forgets it when credentials change."""
    calls.die_with_parent(signal.SIGTERM)


def _become_nobody() -> str:
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EPERM}:
            raise
        return f"the user id {os.getuid()}: this user namespace does not map {NOBODY}"
    return ""


def _drop_bounding_set() -> None:
    """As far as the kernel knows capabilities."""
    for capability in range(_MOST_CAPABILITIES):
        try:
            calls.give_up(capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return
