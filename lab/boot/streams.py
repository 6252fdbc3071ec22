"""Set up standard input, output and error, whatever the caller has passed."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from lab.errors import MachineError

READER_GONE = 141
"""A shell's exit code for a program that died of SIGPIPE."""


class _Output(io.FileIO):
    """Standard output, for data. If it cannot be written, the verb ends."""

    _given_up = False

    def write(self, data: Any) -> int:
        """Like FileIO's; after a failure all data is discarded."""
        if not self._given_up:
            try:
                return super().write(data)
            except OSError as error:
                self._given_up = True
                self._failed(error)
        return memoryview(data).nbytes

    def _failed(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            raise SystemExit(READER_GONE)
        raise MachineError(
            f"standard output cannot be written: {error.strerror}",
            "make room where it goes, or send it elsewhere",
        ) from error


class _Talk(_Output):
    """Standard error, for messages. The verb goes on if it cannot be written."""

    def _failed(self, error: OSError) -> None:
        pass


def prepare() -> None:
    """Open /dev/null for 0, 1 and 2 if they are closed, so that no file gets these numbers; then
    let write errors end in one message. Call this before opening any file."""
    for number in range(3):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, this one
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 (for as long as this process)
    sys.stdout = _text(_Output(1, "w", closefd=False))
    sys.stderr = _text(_Talk(2, "w", closefd=False), always_lines=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _text(raw: _Output, *, always_lines: bool = False) -> io.TextIOWrapper:
    present = sys.stdout or sys.__stdout__
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=present.encoding if present else "utf-8",
        errors="backslashreplace",  # file names may not be text
        line_buffering=always_lines or raw.isatty(),
    )
