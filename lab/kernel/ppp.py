"""Check whether this kernel has what pppd needs. Standard library only: `doctor` uses it too."""

from __future__ import annotations

import fcntl
import os
import struct

DEVICE = "/dev/ppp"
TIOCSETD = 0x5423
"""asm-generic/ioctls.h"""
N_PPP = 3
"""linux/tty.h: the line discipline of asynchronous PPP, which pppd uses with sstpc."""


def open_ppp() -> None:
    """Open a PPP unit and a PPP terminal, and close them; OSError if the kernel lacks one."""
    os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, TIOCSETD, struct.pack("i", N_PPP))
    except OSError as error:
        raise OSError(error.errno, error.strerror, "PPP on a terminal") from error
    finally:
        os.close(ours)
        os.close(theirs)
