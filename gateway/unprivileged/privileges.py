"""Giving up root for good: a process that reads strangers' bytes has no rights to lose.

Numbers: linux/prctl.h, linux/capability.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.unprivileged import namespaces, system_calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64
_libc = ctypes.CDLL(None, use_errno=True)


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
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
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
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_bounding_set()
    kept = _become_nobody()
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _clear_capabilities()
    _prctl(_PR_SET_DUMPABLE, 0)
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
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


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
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return


def _clear_capabilities() -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, bytes(24)) != 0:
        _fail("capset")


def _prctl(option: int, argument: int) -> None:
    unused = ctypes.c_ulong(0)
    if _libc.prctl(option, ctypes.c_ulong(argument), unused, unused, unused) != 0:
        _fail(f"prctl {option}")


def _fail(call: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{call}: {os.strerror(number)}")
