"""Errors for people: what happened, what to try, and the exit code.

Standard library only, and runs on Python 3.9: the launcher raises them too.
"""

from __future__ import annotations

from typing import Optional

HELD = 0
EXPECTATION_FAILED = 1
USAGE = 2
MACHINE = 3
OURS = 4


class LabError(Exception):
    """An error for people; `remedy` says what to try. Exit code 4: a bug of ours."""

    code = OURS

    def __init__(self, message: str, remedy: Optional[str] = None) -> None:  # noqa: UP045 (3.9)
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message + (f"\n  try: {self.remedy}" if self.remedy else "")


class UsageError(LabError):
    """A wrong argument or topology file. Exit code 2."""

    code = USAGE


class MachineError(LabError):
    """The machine lacks something that the lab needs. Exit code 3."""

    code = MACHINE
