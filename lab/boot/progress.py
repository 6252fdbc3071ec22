"""What the making of the private root says while it works: steps, seconds, sizes; on stderr."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERVAL = 0.2


class Step:
    """One step under way; note() tells what it is at."""

    def __init__(self, title: str, live: bool) -> None:
        self.title = title
        self.result = ""
        self._live = live
        self._note = ""
        self._began = time.monotonic()
        self._drawn = 0.0

    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._began

    def note(self, text: str) -> None:
        """What the step is at, shown on a terminal; nothing new if `text` is empty."""
        self._note = text or self._note
        self.draw()

    def draw(self, *, at_once: bool = False) -> None:
        """Draw the line of a step under way, on a terminal only, a few times a second."""
        now = time.monotonic()
        if self._live and (at_once or now - self._drawn > _INTERVAL):
            self._drawn = now
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            line = f"  {self.title:<44} {self.seconds():5.1f} s  {self._note}"
            sys.stderr.write(f"\r\x1b[K{line[: max(width - 1, 20)]}")
            sys.stderr.flush()

    def finish(self) -> None:
        """Replace the line by the step's result, or the last thing it noted."""
        lead = "\r\x1b[K" if self._live else ""
        sys.stderr.write(
            f"{lead}  {self.title:<44} {self.seconds():5.1f} s  {self.result or self._note}\n"
        )
        sys.stderr.flush()


@contextmanager
def step(title: str) -> Iterator[Step]:
    """A step of the making: a line when it begins (no terminal: only then) and one when it ends."""
    live = sys.stderr.isatty()
    under_way = Step(title, live)
    if live:
        under_way.draw(at_once=True)
    else:
        say(f"  {title} ...")
    try:
        yield under_way
    except BaseException:
        if live:
            sys.stderr.write("\n")
        raise
    under_way.finish()


def say(text: str) -> None:
    """A line for a person."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def megabytes(count: int) -> str:
    """`count` bytes, readable."""
    return f"{count / 1e6:.0f} MB"
