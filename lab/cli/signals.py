"""How a verb ends when it is interrupted: with one line, at any time.

The launcher blocks these signals while Python starts (lab.boot.signals); they are delivered when
the handlers are set.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

from lab.boot import signals

TEXTS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGHUP: "its terminal was closed",
}
_received: list[int] = []


class Interrupted(KeyboardInterrupt):
    """A signal that ends a verb; `code` is a shell's exit code for it. Its notes say what has been
    done."""

    def __init__(self, number: int) -> None:
        super().__init__(TEXTS[signal.Signals(number)])
        self.code = 128 + number


def take_over() -> None:
    """Turn the signals into Interrupted; those that are ignored (nohup) stay ignored."""
    for number in TEXTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    signals.let_go()


def restore() -> None:
    """Restore Python's handlers, for a program in this process whose children end by SIGTERM."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def line(end: KeyboardInterrupt) -> str:
    """The message of an interrupted verb."""
    return f"p2slab: {'; '.join([str(end) or TEXTS[signal.SIGINT], *notes(end)])}\n"


def notes(error: BaseException) -> list[str]:
    """The notes of an exception."""
    return getattr(error, "__notes__", [])


def _end(number: int, _: FrameType | None) -> None:
    """Raise Interrupted; a second signal ends the process at once, and the kernel ends its lab."""
    end = Interrupted(number)
    _received.append(number)
    if len(_received) > 1:
        os.write(2, line(end).encode())
        os._exit(end.code)
    raise end
