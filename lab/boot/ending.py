"""The end of a program: an exit code and, after an error, one message."""

from __future__ import annotations

import errno
import os
import sys
from typing import Callable, NoReturn, Optional

from lab.boot.enter import outside
from lab.boot.source import PROGRAM
from lab.boot.users import CONTAINER, hidden, lacking_capabilities, lacks
from lab.errors import OURS, LabError, MachineError

INTERRUPTED = 130

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise fs.file-max",
    errno.ENOMEM: "free some memory, or raise its limit (ulimit -v)",
    errno.EAGAIN: "raise the limits of processes and memory (ulimit -u, ulimit -v)",
    errno.EPERM: f"{PROGRAM} doctor",
    errno.EACCES: f"{PROGRAM} doctor",
}
_FORBIDDEN = (errno.EPERM, errno.EACCES)


def machines_fault(error: BaseException) -> Optional[MachineError]:  # noqa: UP045 (3.9)
    """The MachineError for something that the machine lacks or forbids; None for a bug of ours."""
    error = _of_the_system(error)
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    of_a_container = hidden(error)
    if of_a_container:
        return of_a_container
    named = isinstance(error.filename, (str, bytes))
    place = outside(os.fsdecode(error.filename)) if named else ""
    message = ": ".join(filter(None, [place, error.strerror or str(error)]))
    ask = error.errno in _FORBIDDEN and os.geteuid() == 0
    lacking = lacking_capabilities() if ask else []
    if lacking:
        return MachineError(f"{message}: root here {lacks(lacking)}", CONTAINER)
    of_a_file = os.path.isabs(place) or os.path.lexists(place)  # else of a system call
    if of_a_file and error.errno in _FORBIDDEN:
        remedy = f"check its owner: ls -ld {place}"
    return MachineError(message, remedy)


def _of_the_system(error: BaseException) -> OSError:
    """The error of a system call; for memory and threads Python raises others."""
    if isinstance(error, OSError):
        return error
    number = errno.ENOMEM if isinstance(error, MemoryError) else 0
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        number = errno.EAGAIN
    return OSError(number, os.strerror(number))


def end_with(work: Callable[[], int]) -> NoReturn:
    """Run `work` and end with its exit code; every failure ends in one message and a code."""
    try:
        code = _code_of(work)
        sys.stdout.flush()
    except LabError as error:  # of the output
        code = _say(str(error), error.code)
    sys.exit(code)


def _code_of(work: Callable[[], int]) -> int:
    try:
        return work()
    except LabError as error:
        return _say(str(error), error.code)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (the last line of defence)
        machines = machines_fault(error)
        if machines:
            return _say(str(machines), machines.code)
        import traceback

        traceback.print_exc()
        return _say(f"a bug in p2slab: {error!r}. Please report it.", OURS)


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"p2slab: {message}\n")
    return code
