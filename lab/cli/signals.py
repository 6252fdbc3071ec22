"""How a verb ends when it is interrupted: with one line, at whatever moment.

The launcher holds these signals back while Python starts (lab.boot.signals); they come when there
is somebody to take them.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

from lab.boot import signals

WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGHUP: "its terminal was closed",
}
_came: list[int] = []


class Interrupted(KeyboardInterrupt):
    """One of the signals that end a verb has come; `code` as a shell has it. Its notes say what
    became of the work."""

    def __init__(self, number: int) -> None:
        super().__init__(WORDS[signal.Signals(number)])
        self.code = 128 + number


def take_over() -> None:
    """From now on a signal that ends is an Interrupted; one that is ignored (nohup) stays so."""
    for number in WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    signals.let_go()


def give_back() -> None:
    """As Python has them: for a program of its own in this process, whose children are ended by
    SIGTERM."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def line(end: KeyboardInterrupt) -> str:
    """What is said of an interrupted verb."""
    return f"p2slab: {'; '.join([str(end) or WORDS[signal.SIGINT], *notes(end)])}\n"


def notes(error: BaseException) -> list[str]:
    """What was added to an exception on its way."""
    return getattr(error, "__notes__", [])


def _end(number: int, _: FrameType | None) -> None:
    """The second time at once, whatever is being taken down: the kernel takes a lab with its
    starter."""
    end = Interrupted(number)
    _came.append(number)
    if len(_came) > 1:
        os.write(2, line(end).encode())
        os._exit(end.code)
    raise end
