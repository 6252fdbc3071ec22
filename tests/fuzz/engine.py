"""A fuzzer in one process: mutates inputs that are known, keeps those that reach new lines of the
code, and says which of them break what their target promises. Everything follows from a seed.
"""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.mutations import LONGEST, Mutation, of_bytes

SOURCE = Path(__file__).parents[2]
FOUND = Path(__file__).parent / "found"
"""TARGET/HASH: inputs that once found something; each is a test from then on."""

WATCHED = 8
"""One of so many inputs is run with its lines watched, which takes several times as long."""
HANG = 5.0
"""Seconds of CPU after which an input is broken off."""
MOST_MEMORY = 64 * 1024
"""Kilobytes by which one input may raise the process's peak."""
MOST_FOUND = 20
"""Different faults of one target, after which it is given up."""
SHRINKING = 5.0
"""Seconds that are spent on making an input smaller."""


@dataclass(frozen=True)
class Target:
    """Code that takes bytes from somebody it does not trust."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    """Valid inputs, the same in every process."""
    run: Callable[[bytes], Hashable]
    """Give it one input; raises whatever is wrong: documented refusals are the target's own. What
    it returns says what became of the input: one with a new outcome is kept.
    """
    watches: tuple[str, ...]
    """Files or directories of the checkout whose lines are to be reached."""
    mutate: Mutation = of_bytes
    quick: int = 2000
    """Inputs in the ordinary suite: a second, no more."""
    cpu: float = 0.1
    """Seconds of this thread's CPU that one input may take."""
    native: bool = False
    """To be run under AddressSanitizer and UBSan."""


class EndlessError(BaseException):
    """Breaks off an input that does not end; no `except Exception` of the code under test is to
    catch it.
    """


class CostError(Exception):
    """An input cost more than a target may take."""


@dataclass
class Found:
    """An input that broke something."""

    data: bytes
    what: str
    """Exception and place, the same for the same fault."""
    text: str = field(repr=False)
    """The traceback."""


class Lines:
    """The lines of some files that were run, while watched."""

    def __init__(self, watches: Sequence[str]) -> None:
        self._prefixes = tuple(str(SOURCE / name) for name in watches)
        self._ours: dict[CodeType, bool] = {}
        self._fresh: set[tuple[CodeType, int]] = set()
        self.seen: set[tuple[CodeType, int]] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Of this thread."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def news(self) -> bool:
        """Whether any was new since the last time."""
        new = not self._fresh <= self.seen
        self.seen |= self._fresh
        self._fresh.clear()
        return new

    def _called(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = code.co_filename.startswith(self._prefixes)
        return self._line if ours else None

    def _line(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        self._fresh.add((frame.f_code, frame.f_lineno))
        return self._line


class Fuzzer:
    """One target's inputs, one after another. `remember` is told each before it is run."""

    def __init__(
        self, target: Target, seed: int, remember: Callable[[bytes], None] = lambda _: None
    ) -> None:
        self.target = target
        self.inputs = 0
        self.dearest = 0.0
        """Seconds of CPU that an input has taken, of those that found nothing."""
        self.found: dict[str, Found] = {}
        self.lines = Lines(target.watches)
        self._remember = remember
        self._dice = random.Random(seed)
        self._corpus: list[bytes] = []
        self._outcomes: set[Hashable] = set()
        self._new = False
        """Whether the input in hand has come to something new."""
        self._waiting = list(target.seeds())

    def step(self) -> None:
        """One input: a seed as long as there are some, else something made of what is known."""
        seed = self._waiting.pop() if self._waiting else None
        data = seed if seed is not None else self._made()
        self.inputs += 1
        self._remember(data)
        found = self._tried(data, seed=seed is not None)
        if found and found.what not in self.found and len(self.found) < MOST_FOUND:
            self.found[found.what] = self._smaller(found)

    def _tried(self, data: bytes, *, seed: bool) -> Found | None:
        self._new = seed
        found = _fault(data, lambda: self._measure(data))
        if not found and (self._new or self.inputs % WATCHED == 0):
            found = _fault(data, lambda: self._watch(data))
        if not found and self._new:
            self._corpus.append(data)
        return found

    def _measure(self, data: bytes) -> None:
        spent, outcome = execute(self.target, data)
        self.dearest = max(self.dearest, spent)
        self._new |= outcome not in self._outcomes
        self._outcomes.add(outcome)

    def _watch(self, data: bytes) -> None:
        with _broken_off(self.target), self.lines.watched():
            self.target.run(data)
        self._new |= self.lines.news()

    def _made(self) -> bytes:
        known = self._corpus or [b""]
        return self.target.mutate(self._dice, self._dice.choice(known), known)[:LONGEST]

    def _smaller(self, found: Found) -> Found:
        """Leave out what is not needed for the same fault."""
        end = time.monotonic() + SHRINKING
        size = len(found.data) // 2
        while size and time.monotonic() < end:
            for at in range(0, len(found.data), size):
                smaller = self._again(found, found.data[:at] + found.data[at + size :])
                if smaller:
                    found = smaller
                    break
                if time.monotonic() > end:
                    break
            else:
                size //= 2
        return found

    def _again(self, found: Found, data: bytes) -> Found | None:
        """The same fault, of other data."""
        again = _fault(data, lambda: execute(self.target, data))
        return again if again and again.what == found.what else None


def execute(target: Target, data: bytes) -> tuple[float, Hashable]:
    """Run one input; raises what it finds. What takes too long has to do so three times. Returns
    seconds of CPU, and what became of it.
    """
    with _broken_off(target):
        before = _peak()
        for _ in range(3):
            begun = time.thread_time()
            outcome = target.run(data)
            spent = time.thread_time() - begun
            if spent <= target.cpu:
                break
        else:
            raise CostError(f"more than {target.cpu:g} s of CPU")
        if _peak() - before > MOST_MEMORY:
            raise CostError(f"more than {MOST_MEMORY // 1024} MB of memory")
    return spent, outcome


def digest(data: bytes) -> str:
    """The name of an input's file."""
    return hashlib.sha256(data).hexdigest()[:16]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def _broken_off(target: Target) -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise EndlessError(f"no end after {HANG:g} s of CPU")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, max(HANG, 10 * target.cpu))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _fault(data: bytes, work: Callable[[], object]) -> Found | None:
    """What goes wrong; the last place in the checkout's own code names it."""
    try:
        work()
    except (Exception, EndlessError) as raised:  # noqa: BLE001 - that is what is looked for
        error = raised
    else:
        return None
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(str(SOURCE)) and frame.filename != __file__
    ]
    place = f"{Path(frames[-1].filename).relative_to(SOURCE)}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, EndlessError | CostError):
        place = str(error)  # where it was just then says nothing
    return Found(
        data, f"{type(error).__name__} {place}", "".join(traceback.format_exception(error))
    )
