"""Exceptions on their way to a person: told as data, and raised again at the other end.

Python's names for them are not for people: what was written for one is told as it is, anything
else is a fault of ours, whose traceback is written down.
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
"""Where the traceback of a fault of ours inside a lab is."""


def cause(error: BaseException) -> BaseException:
    """Of what happened side by side, the one to tell of: what was written for a person first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [cause(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, LabError)), leaves[0])


def words(error: BaseException) -> str:
    """What happened, in words for a person; empty if it has none.

    They have what our own exceptions say, the system's errors, and waits that were in vain.
    """
    root = cause(error)
    if isinstance(root, LabError):
        said = root.message
    elif isinstance(root, OSError) and root.strerror:
        place = outside(str(root.filename or ""))
        said = ": ".join(filter(None, [place, root.strerror]))
    elif isinstance(root, OSError) or type(root).__module__.partition(".")[0] in _PACKAGES:
        said = str(root)
    else:
        return ""
    return "\n".join(filter(None, [said, *getattr(root, "__notes__", [])]))


def told(error: BaseException) -> dict[str, Any]:
    """What a person is told about an exception: `message`, `remedy` and the exit `code`."""
    root, said = cause(error), words(error)
    notes = getattr(root, "__notes__", [])
    for_a_person = machines_fault(root) if isinstance(root, OSError) else root
    if isinstance(for_a_person, LabError):
        message = "\n".join([for_a_person.message, *notes])
        return {"message": message, "remedy": for_a_person.remedy, "code": for_a_person.code}
    if said:
        return {"message": said, "remedy": None, "code": OURS}
    quoted = "\n".join([f"a fault of ours: {root}", *notes])
    return {"message": quoted.strip(": "), "remedy": REPORT, "code": OURS}


def written_down(error: BaseException) -> str:
    """The file in the cache into which the traceback was written, by the machine's own name."""
    path = Path(os.environ.get("P2SLAB_CACHE", "."), "fault.log")
    try:
        descriptor = own.open_file(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except (OSError, LabError) as no:
        return f"what was done (the traceback could not be written: {words(no)})"
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"p2slab {' '.join(sys.argv[1:2])} ...\n")  # the rest may be secret
        traceback.print_exception(error, file=file)
    return outside(path)


def raised(told: dict[str, Any]) -> LabError:
    """The exception to raise for what was told."""
    kind = {USAGE: UsageError, MACHINE: MachineError}.get(told["code"], LabError)
    return kind(told["message"], told["remedy"])
