"""Rotates logs, which strangers can make grow, at a maximum size; one older part is kept.

The writer has the file open for appending (O_APPEND) and keeps writing: the content is copied to
NAME.old, then the file is truncated. Text written between the two is lost.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LIMIT = 4 << 20
"""Bytes. In all, twice as many are kept, plus what arrives between two checks."""
INTERVAL = 1.0
"""Seconds between checks."""


class Place(NamedTuple):
    """A position in a log."""

    generation: int
    """Identifies the older part."""
    size: int


async def keep_small(logs: Callable[[], Iterable[Path]]) -> None:
    """Check and rotate these logs for ever."""
    while True:
        for log in logs():
            rotate(log, LIMIT)
        await asyncio.sleep(INTERVAL)


def rotate(log: Path, limit: int) -> bool:
    """Rotate a log if it is too large; return whether it was. If the older part cannot be written
    (a full disk), it is lost."""
    try:
        descriptor = os.open(log, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # it does not exist yet
        return False
    with os.fdopen(descriptor, "r+b") as file:
        if os.fstat(descriptor).st_size <= limit:
            return False
        with suppress(OSError):
            _keep(_old(log), file.read())
        file.truncate(0)
    return True


def whole(log: Path) -> str:
    """All that is kept of a log, the older part first."""
    return (_read(_old(log)) + _read(log)).decode(errors="replace")


def place(log: Path) -> Place:
    """The current end of a log."""
    with suppress(FileNotFoundError):
        return Place(_generation(log), log.stat().st_size)
    return Place(_generation(log), 0)


def since(log: Path, then: Place) -> str:
    """The text written since then; after two rotations or more, what is kept of it."""
    if _generation(log) == then.generation:
        return _read(log)[then.size :].decode(errors="replace")
    old = _read(_old(log))
    return (old[min(then.size, len(old)) :] + _read(log)).decode(errors="replace")


def _old(log: Path) -> Path:
    return log.with_name(f"{log.name}.old")


def _keep(old: Path, content: bytes) -> None:
    draft = old.with_name(f"{old.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(content)
    draft.replace(old)


def _generation(log: Path) -> int:
    with suppress(FileNotFoundError):
        return _old(log).stat().st_mtime_ns
    return 0


def _read(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""
