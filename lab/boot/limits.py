"""Limits of processes (ulimit) that are too low for a lab, whose programs inherit them.

With less, a daemon has too few threads or dies, and verdicts may be wrong, depending on what is
dialled; so a lab is refused before it is built, and the private root before it is made.
"""

from __future__ import annotations

import resource

from lab.boot.users import is_machines_root
from lab.errors import MachineError

_MB = 1 << 20
# (limit, what ulimit calls it, least value, unit, what it is): charon has 96 threads with 8 MB of
# stack each; user-mode Linux has its memory in a sparse file of 1 GB.
_LEAST = (
    (resource.RLIMIT_AS, "-v", 2048, _MB, "MB of address space for a program"),
    (resource.RLIMIT_DATA, "-d", 1024, _MB, "MB of data for a program"),
    (resource.RLIMIT_FSIZE, "-f", 2048, _MB, "MB for a file"),
    (resource.RLIMIT_NPROC, "-u", 512, 1, "processes and threads of a user"),
)


def refuse() -> None:
    """Raise MachineError for the first limit that is too low for a lab."""
    for limit, option, least, unit, what in _LEAST:
        if limit == resource.RLIMIT_NPROC and is_machines_root():  # it has no limit
            continue
        allowed = resource.getrlimit(limit)[0]
        if allowed != resource.RLIM_INFINITY and allowed < least * unit:
            raise MachineError(
                f"the limit of {allowed // unit} {what} (ulimit {option}) is too low for a lab: "
                f"{least} are needed",
                f"ulimit {option} unlimited, in a new shell or as root if it is refused",
            )
