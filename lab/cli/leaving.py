"""The end of a verb."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with its output written, but without taking its objects apart one by one,
    which takes 65 ms after `up`; the kernel takes them all at once."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # closed or full: Python has its own way
        sys.exit(code)
    os._exit(code)
