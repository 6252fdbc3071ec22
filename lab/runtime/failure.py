"""Exceptions on their way out of a lab: told as data, and raised again at the other end."""

from __future__ import annotations

import errno
from typing import Any

from lab.errors import MACHINE, OURS, USAGE, LabError, MachineError, UsageError

_MACHINE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise fs.file-max",
}
"""Errors of the machine, not of ours: number and remedy."""


def cause(error: BaseException) -> BaseException:
    """Of what happened side by side, the one to tell of: what was written for a person first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [cause(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, LabError)), leaves[0])


def told(error: BaseException) -> dict[str, Any]:
    """What a person is told about an exception: `message`, `remedy` and the exit `code`."""
    root = cause(error)
    notes = getattr(root, "__notes__", [])
    if isinstance(root, LabError):
        message = "\n".join([root.message, *notes])
        return {"message": message, "remedy": root.remedy, "code": root.code}
    message = "\n".join([str(root) or repr(root), *notes])
    if isinstance(root, OSError):
        remedy = _MACHINE.get(root.errno or 0)
        return {"message": message, "remedy": remedy, "code": MACHINE if remedy else OURS}
    return {"message": f"{type(root).__name__}: {message}", "remedy": None, "code": OURS}


def raised(told: dict[str, Any]) -> LabError:
    """The exception to raise for what was told."""
    kind = {USAGE: UsageError, MACHINE: MachineError}.get(told["code"], LabError)
    return kind(told["message"], told["remedy"])
