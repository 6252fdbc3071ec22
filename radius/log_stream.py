"""A program's own log. What its disk has no room for is lost, and the program goes on: a full disk
decides nothing about who comes in."""

from __future__ import annotations

import io
import os
from contextlib import suppress


class LogStream(io.TextIOBase):
    """In place of sys.stderr or sys.stdout; writes whole lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = ""

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Write what is ended by a newline, and keep the rest for later."""
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        self._put(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Write the rest."""
        rest, self._rest = self._rest, ""
        self._put(rest)

    def _put(self, text: str) -> None:
        if text:
            with suppress(OSError):
                os.write(self._descriptor, text.encode(errors="backslashreplace"))
