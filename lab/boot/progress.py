"""Progress of making the private root on stderr: steps, seconds, sizes."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERVAL = 0.2
_BAR = 20


class Step:
    """One step; `weight` is its share of the total time."""

    def __init__(self, title: str, weight: float = 1.0) -> None:
        self.title = title
        self.weight = weight
        self.result = ""
        self.note = ""
        """What it is doing now."""
        self.done = 0.0
        """Its progress, from 0 to 1."""
        self.began = 0.0
        """time.monotonic() of its start; 0 before."""

    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.began


class Board:
    """Steps, several of which may run concurrently, and a line with their total progress.

    On a terminal that line is a bar; elsewhere each step prints a line when it begins and ends.
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self._live = sys.stderr.isatty()
        self._drawn = 0.0

    def begin(self, step: Step) -> None:
        """Begin a step."""
        step.began = time.monotonic()
        if self._live:
            self.draw(at_once=True)
        else:
            say(f"  {step.title} ...")

    def finish(self, step: Step) -> None:
        """Finish a step: print its result, or its last note."""
        step.done = 1.0
        lead = "\r\x1b[K" if self._live else ""
        sys.stderr.write(
            f"{lead}  {step.title:<44} {step.seconds():5.1f} s  {step.result or step.note}\n"
        )
        self.draw(at_once=True)

    def close(self, *, failed: bool) -> None:
        """Stop drawing; after a failure the last line stays visible."""
        if self._live:
            sys.stderr.write("\n" if failed else "\r\x1b[K")
            sys.stderr.flush()

    def draw(self, *, at_once: bool = False) -> None:
        """Draw the bar, on a terminal only, a few times a second."""
        now = time.monotonic()
        if self._live and (at_once or now - self._drawn > _INTERVAL):
            self._drawn = now
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            sys.stderr.write(f"\r\x1b[K{self._line()[: max(width - 1, 20)]}")
            sys.stderr.flush()

    def _line(self) -> str:
        whole = sum(step.weight for step in self._steps)
        done = sum(step.weight * step.done for step in self._steps) / whole
        running = [step for step in self._steps if step.began and step.done < 1]
        notes = " | ".join(step.note or step.title for step in running)
        bar = "#" * int(done * _BAR)
        return f"  [{bar:<{_BAR}}] {done:4.0%}  {notes}"


@contextmanager
def board(*steps: Step) -> Iterator[Board]:
    """A board for steps; its bar is removed when they are done."""
    shown = Board(*steps)
    failed = True
    try:
        yield shown
        failed = False
    finally:
        shown.close(failed=failed)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """A board with a single step."""
    only = Step(title)
    with board(only) as shown:
        shown.begin(only)
        yield only
        shown.finish(only)


def say(text: str) -> None:
    """Print a line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def megabytes(count: int) -> str:
    """`count` bytes, readable."""
    return f"{count / 1e6:.0f} MB"
