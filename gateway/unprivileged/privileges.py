"""Drops root privileges for good: a process that parses untrusted bytes has none to lose."""

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
"""Bytes, and number of processes. The only file written is the log; 1,024 half-open connections and
128 calls take less than 0.5 GB."""


def confine() -> str:
    """Drop root and everything but open descriptors. Call this with a single thread, after the last
    import and before the first untrusted byte.

    Afterwards nothing can be opened, connected, listened on, started or mapped executable (see
    system_calls for what is left), and imports raise ImportError. An event loop's epoll, sockets
    and pipes, and callbacks of C code (cffi), must be made before. Open listeners, TUN devices and
    channels still work: they belong to the namespace in which they were opened.

    Returns what could not be dropped, as text; empty: everything was. OSError, RuntimeError.
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
    """Become `nobody`, without capabilities and without a way to regain them.

    Returns what could not be dropped: if the user namespace maps no other id, the process keeps its
    own. OSError: anything else failed. Open descriptors stay open; modules not imported yet may be
    unreadable afterwards.
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
    """Forbids imports. Whether modules are readable without root depends on where the program is
    installed; with this, a forgotten import fails everywhere, and first of all in the tests.
    """

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> None:
        raise ImportError(f"{name} is imported after privileges were dropped")


def die_with_parent() -> None:
    """Get SIGTERM when the gateway exits. The kernel clears this when credentials change."""
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
    """Drop every capability that the kernel knows."""
    for capability in range(_MOST_CAPABILITIES):
        try:
            calls.give_up(capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return
