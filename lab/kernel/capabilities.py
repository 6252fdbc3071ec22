"""What root may do beyond files and its own network (capabilities(7)), and giving it up."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from gateway.common import calls

SYS_ADMIN = 21
"""Mounts, and a hundred other things."""
OF_THE_MACHINE = {
    2: "DAC_READ_SEARCH",  # open_by_handle_at(2): any file of a file system of which one is seen
    9: "LINUX_IMMUTABLE",
    16: "SYS_MODULE",
    17: "SYS_RAWIO",
    20: "SYS_PACCT",
    22: "SYS_BOOT",
    25: "SYS_TIME",
    27: "MKNOD",
    30: "AUDIT_CONTROL",
    32: "MAC_OVERRIDE",
    33: "MAC_ADMIN",
    34: "SYSLOG",
    35: "WAKE_ALARM",
    36: "BLOCK_SUSPEND",
    37: "AUDIT_READ",
    38: "PERFMON",
    39: "BPF",
    40: "CHECKPOINT_RESTORE",
}
"""Those that no program of a lab needs (linux/capability.h)."""
LAST = 63
_BOUNDING = re.compile(r"^CapBnd:\t([0-9a-f]+)$", re.MULTILINE)


def give_up(numbers: Collection[int]) -> None:
    """No program that the calling thread starts will have these; the thread itself keeps them.

    What the kernel does not know, or nobody has here, is passed over.
    """
    for number in numbers:
        if calls.bounds(number):
            calls.give_up(number)


def limit_as(process: int) -> None:
    """Programs that the calling thread starts may have no more than those of that process."""
    found = _BOUNDING.search(Path(f"/proc/{process}/status").read_text())
    mask = int(found[1], 16) if found else 0
    give_up([number for number in range(LAST + 1) if not mask >> number & 1])
