"""User-mode Linux as a program: its arguments, and a trial boot.

Standard library only, and runs on Python 3.9: `doctor` uses it too.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from gateway.common.compiled import build

COMMAND = (
    # Its ptrace children die with it, however it ends. PID 1 is a shell, not the kernel: abort()
    # would not end the kernel as PID 1.
    *("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh"),
    *("linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
    # The private root's /run, or a node's: a kernel that panics leaves a directory behind.
    *("quiet", "loglevel=3", "con=null", "con0=null,fd:1", "uml_dir=/run/"),
    # Selecting a RAID 6 algorithm and creating 256 terminals took 1 s of a boot of 1.2 s.
    *("initcall_blacklist=raid6_select_algo", "zswap.enabled=0", "pty.legacy_count=0"),
)
_MEMORY = {"TMPDIR": "/dev/shm"}  # noqa: S108 (where its memory is; never looked up by name)
REGISTERS = Path(__file__).with_name("registers.c")
FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared")
LARGER_REGISTERS = ("amx_tile", "apx")
"""Features of processors with more registers than user-mode Linux 6.1 has room for."""
TRIAL = ("mem=64M", "init=/usr/bin/true")
BOOTED = "Attempted to kill init! exitcode=0x00000000"
"""The kernel's message when its first program has ended with 0."""
LIMIT = 20.0


def environment(libraries: Path) -> dict[str, str]:
    """The environment variables of COMMAND. The library that some processors need is in this
    directory, built if it is missing; OSError if it cannot be built."""
    features = set(Path("/proc/cpuinfo").read_text(encoding="ascii").partition("\n\n")[0].split())
    larger = features.intersection(LARGER_REGISTERS)
    if not larger:
        return _MEMORY
    try:
        library = build(REGISTERS, libraries, FLAGS)
    except (OSError, RuntimeError) as error:
        reason = f"a processor with {' and '.join(sorted(larger))} needs {REGISTERS.name}: {error}"
        raise OSError(0, reason) from error
    return {**_MEMORY, "LD_PRELOAD": str(library)}


def try_boot() -> None:
    """Boot a kernel whose first program ends at once; OSError with its last message on failure.

    Call it in the private root, which has its own /run.
    """
    with tempfile.TemporaryDirectory() as libraries:
        env = {**os.environ, **environment(Path(libraries))}
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
    output = ended.stdout.decode(errors="replace")
    if BOOTED not in output:
        lines = output.strip().splitlines()
        ends = [line for line in lines if "panic" in line] or lines[-1:]
        raise OSError(0, ends[0] if ends else f"it ended with {ended.returncode}")
