"""Files of the state directory: readable by the gateway only, and written atomically."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.common.errors import StorageError
from gateway.common.rotation import whole

if TYPE_CHECKING:
    from pathlib import Path

QUOTED = 4096
"""Bytes of a log, of which the last lines are quoted."""


def make_private_directory(path: Path) -> None:
    """Make a directory with mode 0700, unless it exists. StorageError: that failed."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {path}", said=error.strerror) from error


def write_private(path: Path, data: str | bytes) -> None:
    """Write a file with mode 0600, atomically replacing an older one. StorageError: that failed."""
    content = data.encode() if isinstance(data, str) else data
    draft = path.with_name(path.name + ".new")
    make_private_directory(path.parent)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}", said=error.strerror) from error


def tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log, for quoting; if it cannot be read, the reason in parentheses."""
    try:
        with path.open("rb"):
            text = whole(path, QUOTED)
    except OSError as error:
        return f"({path}: {error.strerror})"
    return "\n".join(text.strip().splitlines()[-lines:]) or f"({path} is empty)"
