"""The end of a verb."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """Flush the output and end this process without finalizing its objects, which takes 65 ms
    after `up`."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # closed or full: Python handles it
        sys.exit(code)
    os._exit(code)
