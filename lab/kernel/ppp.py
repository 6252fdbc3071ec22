"""Whether this kernel has what pppd needs. Standard library only: `doctor` asks, too."""

from __future__ import annotations

import fcntl
import os
import struct

DEVICE = "/dev/ppp"
TIOCSETD = 0x5423
"""asm-generic/ioctls.h"""
N_PPP = 3
"""linux/tty.h: the line discipline of asynchronous PPP, in which pppd speaks to sstpc."""


def open_ppp() -> None:
    """OSError, with what was tried, unless a PPP unit and a PPP line can be had here."""
    os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, TIOCSETD, struct.pack("i", N_PPP))
    except OSError as error:
        raise OSError(error.errno, error.strerror, "PPP on a terminal") from error
    finally:
        os.close(ours)
        os.close(theirs)
