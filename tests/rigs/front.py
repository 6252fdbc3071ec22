"""The front process of a small lab, as `verify` and `up` have it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError
from lab.runtime.protocol import Body, Failed, Ready
from lab.runtime.start import start


def front(name: str, body: Callable[[Path], Body], *, leaves: bool) -> int:
    """Start the lab and say `ready`; then stay, or leave it alone. Its exit code."""
    try:
        lab = start(name, body)
        for event in lab.watch():
            if isinstance(event, Failed):
                print(event.message, flush=True)
                return event.code
            if isinstance(event, Ready):
                print("ready", flush=True)
                if leaves:
                    lab.release()
                    return 0
    except LabError as error:
        print(error, file=sys.stderr)
        return error.code
    return 0
