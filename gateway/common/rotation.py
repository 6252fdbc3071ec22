"""Rotates logs, which strangers can make grow, at a maximum size; one older part is kept.

The writer has the file open for appending (O_APPEND) and keeps writing: the end of the content is
copied to NAME.old, then the file is truncated. Text written between the two is lost.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LIMIT = 4 << 20
"""Bytes of a log at which it is rotated."""
INTERVAL = 1.0
"""Seconds between checks."""
MOST = 2 * LIMIT
"""Bytes of a log that are kept in its older part, and that are read at once: a program can write
much more between two checks."""
Place = int
"""A position in a log: bytes since its first one, whatever was rotated."""
_begun: dict[Path, Place] = {}
"""Where the present part of each log begins, which this process rotates."""


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
        size = os.fstat(descriptor).st_size
        if size <= limit:
            return False
        try:
            _keep(_old(log), os.pread(descriptor, MOST, max(0, size - MOST)))
        except OSError:
            _old(log).unlink(missing_ok=True)  # what is older would be taken for it
        file.truncate(0)
    _begun[log] = _begun.get(log, 0) + size
    return True


def whole(log: Path, most: int | None = None) -> str:
    """The last bytes of what is kept of a log, the older part first; at most so many, or MOST."""
    most = MOST if most is None else most
    new = _last(log, most)
    return (_last(_old(log), most - len(new)) + new).decode(errors="replace")


def place(log: Path) -> Place:
    """The current end of a log that this process rotates, or nobody."""
    return _begun.get(log, 0) + _size(log)


def since(log: Path, then: Place) -> str:
    """The text written since then; what is kept of it."""
    begun = _begun.get(log, 0)
    text = _last(_old(log), begun - then) + _last(log, MOST, begin=then - begun)
    return text.decode(errors="replace")


def _old(log: Path) -> Path:
    return log.with_name(f"{log.name}.old")


def _keep(old: Path, content: bytes) -> None:
    draft = old.with_name(f"{old.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(content)
        draft.replace(old)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _last(path: Path, most: int, begin: int = 0) -> bytes:
    """The last bytes of a file, at most so many, and none before `begin`."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, begin, size - most))
        return file.read(max(0, most))
    return b""
