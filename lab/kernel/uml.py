"""User-mode Linux as a program: its arguments, and whether it runs here.

Standard library only and fit for Python 3.9: `doctor` asks, too.
"""

from __future__ import annotations

import os
import subprocess

COMMAND = (
    # Its ptrace children die with it, whoever kills it. Not the kernel but a shell is the first
    # process there: the kernel's abort() would not end a first one.
    *("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh"),
    *("linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
    # The private root's /run, or a node's: a kernel that panics leaves a directory behind.
    *("quiet", "loglevel=3", "con=null", "con0=null,fd:1", "uml_dir=/run/"),
    # Of a boot of 1.2 s, a second went into finding the fastest RAID 6 and making 256 terminals.
    *("initcall_blacklist=raid6_select_algo", "zswap.enabled=0", "pty.legacy_count=0"),
)
ENVIRONMENT = {"TMPDIR": "/dev/shm"}  # noqa: S108 (where its memory is; never looked up by name)
TRIAL = ("mem=64M", "init=/usr/bin/true")
BOOTED = "Attempted to kill init! exitcode=0x00000000"
"""What a kernel says whose first program has ended well."""
LIMIT = 20.0


def try_boot() -> None:
    """Boot a kernel whose first program ends at once; OSError with its last words if it cannot.

    To be called in the private root, whose /run is nobody else's.
    """
    env = {**os.environ, **ENVIRONMENT}
    try:
        ended = subprocess.run(
            [*COMMAND, *TRIAL],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(0, f"it did not end within {LIMIT:g} s") from error
    said = ended.stdout.decode(errors="replace")
    if BOOTED not in said:
        lines = said.strip().splitlines()
        ends = [line for line in lines if "panic" in line] or lines[-1:]
        raise OSError(0, ends[0] if ends else f"it ended with {ended.returncode}")
