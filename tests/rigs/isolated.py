"""Runs a test's function in new namespaces, as for a lab, in its own process, which dies with
pytest."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.common import calls
from lab.runtime.start import allow_files, isolate_lab


def isolated(function: Callable[[], None] | Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Call it (or run the coroutine) as root of its own network, mounts and processes.

    What fails in there fails the test, with its traceback.
    """
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(reading)
        _do(function, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        failure = pipe.read()
    _, status = os.waitpid(middle, 0)
    if failure or status:
        pytest.fail(failure or f"ended with {status:#x} and no word", pytrace=False)


def _do(function: Callable[[], Any], writing: int) -> None:
    code = 1
    try:
        _become_root()
        os.umask(0o022)  # a lab's own, and its limit
        allow_files()
        calls.unshare(calls.NEWPID)
        calls.die_with_parent(signal.SIGKILL)
        first = os.fork()
        if first:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 255)
        isolate_lab()
        calls.die_with_parent(signal.SIGKILL)
        result = function()
        if asyncio.iscoroutine(result):
            asyncio.run(result)
        code = 0
    except BaseException:  # noqa: BLE001 (a failed assertion included)
        os.write(writing, traceback.format_exc()[-60000:].encode())
    finally:
        os._exit(code)


def _become_root() -> None:
    """An ordinary user's own user namespace; inside the private root everybody is root already."""
    if os.geteuid() == 0:
        return
    user, group = os.geteuid(), os.getegid()
    calls.unshare(calls.NEWUSER)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        Path("/proc/self", name).write_text(content)
