"""Exceptions as data for people: sent over the control socket, and raised again at its other end.

The text of an exception written for people is passed on unchanged. Any other exception is a bug
of ours; its traceback is saved.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

from lab.boot import own
from lab.boot.ending import machines_fault
from lab.boot.enter import outside
from lab.errors import MACHINE, OURS, USAGE, LabError, MachineError, UsageError

_PACKAGES = ("lab", "gateway", "radius")
REPORT = "please report it, with supervisor.log of the lab's logs"
"""The remedy for a bug inside a lab: its traceback is in that log."""


def cause(error: BaseException) -> BaseException:
    """The exception of a group to report: preferably a LabError, which is written for people."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [cause(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, LabError)), leaves[0])


def error_text(error: BaseException) -> str:
    """The text of an exception for people; empty if it has none.

    Our own exceptions, the system's errors and timeouts of waits have one.
    """
    root = cause(error)
    if isinstance(root, LabError):
        text = root.message
    elif isinstance(root, OSError) and root.strerror:
        place = outside(str(root.filename or ""))
        text = ": ".join(filter(None, [place, root.strerror]))
    elif isinstance(root, OSError) or type(root).__module__.partition(".")[0] in _PACKAGES:
        text = str(root)
    else:
        return ""
    return "\n".join(filter(None, [text, *getattr(root, "__notes__", [])]))


def error_report(error: BaseException) -> dict[str, Any]:
    """An exception as `message`, `remedy` and exit `code`."""
    root, text = cause(error), error_text(error)
    notes = getattr(root, "__notes__", [])
    written_for_people = root if isinstance(root, LabError) else machines_fault(root)
    if written_for_people:
        message = "\n".join([written_for_people.message, *notes])
        remedy, code = written_for_people.remedy, written_for_people.code
        return {"message": message, "remedy": remedy, "code": code}
    if text:
        return {"message": text, "remedy": None, "code": OURS}
    quoted = "\n".join([f"a bug in p2slab: {root}", *notes])
    return {"message": quoted.strip(": "), "remedy": REPORT, "code": OURS}


def save_traceback(error: BaseException) -> str:
    """Write the traceback into a file in the cache; the file's name on the host."""
    path = Path(os.environ.get("P2SLAB_CACHE", "."), "fault.log")
    try:
        descriptor = own.open_file(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except (OSError, LabError) as failed:
        reason = error_text(failed)
        return f"the command that you ran (the traceback could not be saved: {reason})"
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"p2slab {' '.join(sys.argv[1:2])} ...\n")  # the rest may be secret
        traceback.print_exception(error, file=file)
    return outside(path)


def exception_of(report: dict[str, Any]) -> LabError:
    """The exception to raise for an error report."""
    kind = {USAGE: UsageError, MACHINE: MachineError}.get(report["code"], LabError)
    return kind(report["message"], report["remedy"])
