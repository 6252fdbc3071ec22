"""A control group of version 2 for the processor time of a process and all that it starts.

For `test --costs` (tests/harness/costs.py). The launcher tries it before anything is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from lab.boot.source import PROGRAM
from lab.errors import MachineError

_OPTION = "--costs"
_FOR_ROOT = "mount /sys/fs/cgroup writable; in a container: start it with --privileged"
_FOR_OTHERS = (
    f"sudo {PROGRAM} test {_OPTION} ..., or in a group that systemd gives you: "
    f"systemd-run --user --scope {PROGRAM} test {_OPTION} ..."
)


def refuse(arguments: list[str]) -> None:
    """Raise MachineError if the arguments of `test` ask for what cannot be counted here."""
    if _OPTION in arguments:
        os.rmdir(made(f"p2slab-trial-{os.getpid()}"))


def made(name: str, proc: str = "/proc") -> str:
    """A new control group below that of this process, which may move into it. MachineError where
    this user may not make one."""
    own = next(_own(proc), "")
    if not own:
        raise MachineError(f"{_OPTION} needs control groups of version 2", "another machine")
    group = os.path.join(own, name)
    try:
        # What moves out of a group is written down there.
        os.close(os.open(os.path.join(own, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC))
        os.mkdir(group)
    except OSError as error:
        raise MachineError(
            f"{_OPTION} cannot make a control group in {own}: {error.strerror}",
            _FOR_ROOT if os.geteuid() == 0 else _FOR_OTHERS,
        ) from error
    return group


def _own(proc: str) -> Iterator[str]:
    """The directory of this process's group, in every mounted hierarchy that shows it."""
    with open(f"{proc}/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        path = next((row[3:].rstrip("\n") for row in file if row.startswith("0::")), "")
    with open(f"{proc}/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for row in file:
            before, _, after = row.partition(" - ")
            root, mounted = before.split()[3:5]
            below = os.path.relpath(path, root) if path else ".."
            if after.startswith("cgroup2 ") and below.split("/")[0] != "..":
                yield os.path.normpath(os.path.join(mounted, below))
