"""Exceptions on their way out of a lab: told as data, and raised again at the other end."""

from __future__ import annotations

from typing import Any

from lab.boot.ending import machines_fault
from lab.errors import MACHINE, OURS, USAGE, LabError, MachineError, UsageError


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
    for_a_person = machines_fault(root) if isinstance(root, OSError) else root
    if isinstance(for_a_person, LabError):
        message = "\n".join([for_a_person.message, *notes])
        return {"message": message, "remedy": for_a_person.remedy, "code": for_a_person.code}
    kind = "" if isinstance(root, OSError) else f"{type(root).__name__}: "
    message = "\n".join([kind + (str(root) or repr(root)), *notes])
    return {"message": message, "remedy": None, "code": OURS}


def raised(told: dict[str, Any]) -> LabError:
    """The exception to raise for what was told."""
    kind = {USAGE: UsageError, MACHINE: MachineError}.get(told["code"], LabError)
    return kind(told["message"], told["remedy"])
