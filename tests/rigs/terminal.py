"""A program on its own terminal, as for a person."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Self

from tests.rigs.patience import PATIENCE


class Terminal:
    """A pseudo-terminal with a program on it; what it shows is kept in `shown`."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        self.program = subprocess.Popen(
            ["setsid", "--ctty", *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, **(env or {}), "TERM": "dumb"},
        )
        os.close(slave)
        self.shown = ""
        self._read = 0

    def type(self, text: str) -> None:
        """Press keys; "\\x03" is Ctrl-C, "\\x1a" is Ctrl-Z."""
        os.write(self._master, text.encode())

    def expect(self, pattern: str, limit: float = PATIENCE) -> re.Match[str]:
        """Wait until something new on the screen matches."""
        deadline = time.monotonic() + limit
        while True:
            if found := re.compile(pattern).search(self.shown, self._read):
                self._read = found.end()
                return found
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise TimeoutError(f"{pattern!r} did not come; the screen: {self.shown!r}")
            try:
                self.shown += os.read(self._master, 4096).decode(errors="replace")
            except OSError as error:  # EIO: nobody has the terminal any more
                raise EOFError(f"{pattern!r} did not come; the screen: {self.shown!r}") from error

    def wait(self, limit: float = PATIENCE) -> int:
        """The program's exit code."""
        return self.program.wait(limit)

    def close(self) -> None:
        """Close the terminal, as when its window is closed."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
