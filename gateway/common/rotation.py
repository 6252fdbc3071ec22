"""Logs that strangers can make grow: cut off at a size, with one older part kept.

Who writes has the file open for appending (O_APPEND) and goes on writing: the content is copied
to NAME.old and the file made empty. What is written just between the two is lost.
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
"""Bytes; as many again are kept, and what comes between two looks."""
INTERVAL = 1.0
"""Seconds from look to look."""


class Place(NamedTuple):
    """How far a log was at a time."""

    generation: int
    """Of the older part."""
    size: int


async def keep_small(logs: Callable[[], Iterable[Path]]) -> None:
    """Rotate these for ever."""
    while True:
        for log in logs():
            rotate(log, LIMIT)
        await asyncio.sleep(INTERVAL)


def rotate(log: Path, limit: int) -> bool:
    """Whether it was too large. An older part that cannot be kept (a full disk) is none."""
    try:
        descriptor = os.open(log, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # it is not there yet
        return False
    with os.fdopen(descriptor, "r+b") as file:
        if os.fstat(descriptor).st_size <= limit:
            return False
        with suppress(OSError):
            _keep(_old(log), file.read())
        file.truncate(0)
    return True


def whole(log: Path) -> str:
    """What there is of it, the older part first."""
    return (_read(_old(log)) + _read(log)).decode(errors="replace")


def place(log: Path) -> Place:
    """Where it ends now."""
    with suppress(FileNotFoundError):
        return Place(_generation(log), log.stat().st_size)
    return Place(_generation(log), 0)


def since(log: Path, then: Place) -> str:
    """What was written after that; of two rotations since then, what is left."""
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
