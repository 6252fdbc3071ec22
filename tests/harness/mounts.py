"""mount(8) for shell scripts in tests, since the private root has none.

python tests/harness/mounts.py tmpfs DIRECTORY [OPTION...]
python tests/harness/mounts.py bind SOURCE DIRECTORY
python tests/harness/mounts.py remount DIRECTORY OPTION...
"""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from lab.boot import syscalls

_FLAGS = {"ro": syscalls.MS_RDONLY, "noexec": syscalls.MS_NOEXEC}


def main(kind: str, *words: str) -> None:
    """Mount it."""
    if kind == "bind":
        syscalls.bind(*words)
        return
    directory, *options = words
    flags = sum(_FLAGS[option] for option in options if option in _FLAGS)
    data = ",".join(option for option in options if option not in _FLAGS)
    if kind == "remount":
        flags |= syscalls.MS_REMOUNT | syscalls.MS_BIND
        syscalls.mount("none", directory, None, flags)
    else:
        syscalls.mount("fresh", directory, "tmpfs", flags, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
